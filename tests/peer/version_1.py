#!/usr/bin/env python3
"""Goes through the rows of version 1 on running servers, whose database may be empty or not, as a foreign peer.

    python3 tests/peer/version_1.py --data 127.0.0.1:8889 --broadcast 127.0.0.1:8888

It prints a line for each row, and ends with status 1 and a sentence at the first that does not hold. It needs
Python 3.9 and nothing else.
"""

import argparse
import json
import re
import sys
import threading
import time

sys.dont_write_bytecode = True

from dialect import (  # noqa: E402
    PATIENCE_S,
    Client,
    Connection,
    Failed,
    Refused,
    encode,
    expect,
    expect_chat,
    expect_equal,
    expect_message,
    expect_next,
    expect_refused,
    expect_user,
    request_of,
    result_of,
)

TEXTS = [
    "hello world",
    "Привет, мир",
    "你好，世界",
    "🌮 👩\u200d👩\u200d👧 🇺🇦",
    "\"\\/\b\f\n\r\t\0",
    "עברית \u202e \x1b[2J ~ ÿ",
    "x" * 5000,
]


def people(client, *names):
    return [client.insert_user(name) for name in names]


def ids_of(users):
    return [user["user_id"] for user in users]


def t01_frame_of_21_bytes(client):
    with Connection(client.data) as connection:
        connection.send(b"11        hello world")
        expect_equal(connection.receive()["error"]["code"], -32700, "the answer to `hello world`")


def t02_lengths_count_bytes(client):
    (user,) = people(client, "Ада 🌮")
    for escape in (True, False):
        same = Client(client.data, client.broadcast, escape)
        expect_equal(same.get_user(user["user_id"]), user, "the user")
        expect_equal(same.insert_user("Ада 🌮")["user_name"], "Ада 🌮", "the name")


def t03_announced_gigabytes_are_refused(client):
    for address in (client.data, client.broadcast):
        with Connection(address) as connection:
            connection.send(b"9999999999")
            expect_equal(connection.receive()["error"]["code"], -32013, "the answer to 10 GB")
            expect(connection.is_closed(), "the connection stays open after 10 GB were announced")


def t04_segments_do_not_matter(client):
    frame = encode(request_of("InsertUser", {"user_name": "Грейс 王 🌮"}, 1), escape=False)
    with Connection(client.data) as connection:
        for byte in frame:
            connection.send(bytes([byte]))
        user = result_of(connection.receive(), 1)["user"]
        expect_equal(user["user_name"], "Грейс 王 🌮", "the name that came byte by byte")
        connection.send(b"".join(encode(request_of("GetUser", {"user_id": user["user_id"]}, i)) for i in (2, 3)))
        replies = {reply["id"]: reply["result"]["user"] for reply in (connection.receive() for _ in range(2))}
        expect_equal(replies, {2: user, 3: user}, "the answers to two frames in one segment")


def t05_spaces_around_the_digits(client):
    payload = json.dumps(request_of("Ping", {}, 1)).encode()
    for form in ("%d".ljust(9), "  %d", "%10d", "%010d"):
        with Connection(client.data) as connection:
            connection.send((form % len(payload)).ljust(10).encode() + payload)
            expect_equal(result_of(connection.receive(), 1), {}, f"the answer to the header form {form!r}")
    for header in (b"abc       ", b"-1        ", b"          ", b"1_0       ", b"1 1       ", b"+11       "):
        for address in (client.data, client.broadcast):
            with Connection(address) as connection:
                connection.send(header)
                expect_equal(connection.receive()["error"]["code"], -32700, f"the answer to {header!r}")
                expect(connection.is_closed(), f"the connection stays open after {header!r}")


def t07_whole_flow(client):
    ada, grace = people(client, "Ада Лавлейс", "王秀英 🌮")
    expect_user(ada)
    expect_equal(client.get_user(grace["user_id"]), grace, "the user that was inserted")
    chat = client.insert_chat("", ids_of([ada, grace]))
    expect_chat(chat)
    sent = []
    with client.open_stream(grace["user_id"]) as stream:
        for text in TEXTS:
            message = client.insert_message(chat["chat_id"], ada["user_id"], text)
            expect_message(message, chat["chat_id"], ada, text)
            expect_next(stream, message)
            sent.append(message)
    expect_equal(client.get_messages(chat["chat_id"]), sent, "the messages of the chat")
    (listed,) = client.get_chats(grace["user_id"])
    expect_chat(listed)
    expect_equal(listed["messages"], sent, "the messages in the list of chats")
    polled = {}
    receive_one = client.receive_one_message
    poll = threading.Thread(target=lambda: polled.update(receive_one(grace["user_id"], PATIENCE_S)))
    poll.start()
    while poll.is_alive():
        # The poll's stream may not be open yet: say it until it is heard.
        client.insert_message(chat["chat_id"], ada["user_id"], "ещё")
        poll.join(0.05)
    expect_message(polled, chat["chat_id"], ada, "ещё")


def t07_whole_flow_in_raw_utf_8(client):
    t07_whole_flow(Client(client.data, client.broadcast, escape=False))


def t09_ids_come_back_digit_for_digit(client):
    for address in (client.data, client.broadcast):
        with Connection(address) as connection:
            for request_id in (str(2**128 - 1), '"a\\u0041 \\ud83c\\udf2e"', "null", "-0", "1e400"):
                payload = f'{{"jsonrpc":"2.0","method":"Ping","params":{{}},"id":{request_id}}}'.encode()
                connection.send(b"%-10d" % len(payload) + payload)
                text = connection.receive_text()
                expect(text.endswith(f'"id":{request_id}}}'), f"the id {request_id} came back in {text}")


def t11_each_fault_has_its_error(client):
    with Connection(client.data) as connection:
        for payload, code in (
            ('{"jsonrpc":"2.0","method"', -32700),
            ('{"jsonrpc":"2.0","method":7,"id":1}', -32600),
            ('{"jsonrpc":"2.0","method":"GetUsher","params":{},"id":1}', -32601),
            ('{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":"seven"},"id":1}', -32602),
            ('{"jsonrpc":"2.0","method":"GetUser","params":{"user_id":999999999},"id":1}', -32004),
            ('{"jsonrpc":"2.0","method":"GetMessages","params":{"chat_id":999999999},"id":1}', -32004),
        ):
            connection.send(b"%-10d" % len(payload) + payload.encode())
            reply = connection.receive()
            expect_equal(reply["error"]["code"], code, f"the answer to {payload}")
            expect_equal(reply["id"], None if code == -32700 else 1, f"the id in the answer to {payload}")


def t13_several_requests_on_one_connection(client):
    users = people(client, *(f"№ {number}" for number in range(20)))
    with Connection(client.data) as connection:
        for user in users:
            asked = connection.ask(request_of("GetUser", {"user_id": user["user_id"]}))
            expect_equal(asked, {"user": user}, "an answer in turn")
        for user in users:
            params = {"user_id": user["user_id"]}
            connection.send(encode(request_of("GetUser", params, f"id {user['user_id']}")))
        replies = {reply["id"]: reply["result"]["user"] for reply in (connection.receive() for _ in users)}
        expect_equal(replies, {f"id {user['user_id']}": user for user in users}, "the answers in any order")


def t15_t16_users(client):
    (user,) = people(client, "Новый")
    expect_equal(client.get_user(user["user_id"]), user, "the new user")
    expect_refused(-32004, lambda: client.get_user(2**62))
    expect_refused(-32602, lambda: client.insert_user(" "))


def t17_t18_t24_chats_and_their_names(client):
    ada, grace, wang = people(client, "Ада", "Грейс", "王")
    private = client.insert_chat("not shown", ids_of([ada, grace]))
    group = client.insert_chat("обед 🌮", ids_of([ada, grace, wang]))
    alone = client.insert_chat("notes", ids_of([ada]))
    for chat in (private, group, alone):
        expect_chat(chat)
    names = {
        user["user_name"]: {chat["chat_id"]: chat["chat_name"] for chat in client.get_chats(user["user_id"])}
        for user in (ada, grace, wang)
    }
    group_name = {group["chat_id"]: "обед 🌮"}
    ada_names = {private["chat_id"]: "Грейс", alone["chat_id"]: "notes", **group_name}
    expect_equal(names["Ада"], ada_names, "Ada's chats")
    expect_equal(names["Грейс"], {private["chat_id"]: "Ада", **group_name}, "Grace's chats")
    expect_equal(names["王"], group_name, "Wang's chats")
    users = [ids_of(chat["users"]) for chat in client.get_chats(wang["user_id"])]
    expect_equal([sorted(some) for some in users], [ids_of([ada, grace, wang])], "the people of Wang's chats")
    expect_refused(-32004, lambda: client.insert_chat("", [ada["user_id"], 2**62]))


def t19_most_recent_chat_comes_first(client):
    ada, grace = people(client, "Ада", "Грейс")
    chats = []
    for name in ("first", "second", "third"):
        chats.append(client.insert_chat(name, [ada["user_id"]]))
        time.sleep(0.003)  # Chats of one millisecond have no order that the row could demand.
    order = [chat["chat_name"] for chat in client.get_chats(ada["user_id"])]
    expect_equal(order, ["third", "second", "first"], "the order of chats without messages")
    client.insert_message(chats[0]["chat_id"], ada["user_id"], "up")
    order = [chat["chat_name"] for chat in client.get_chats(ada["user_id"])]
    expect_equal(order, ["first", "third", "second"], "the order after a message")
    expect_equal(client.get_chats(grace["user_id"]), [], "the chats of somebody who has none")


def t20_t38_a_hundred_messages_in_order(client):
    ada, grace = people(client, "Ада", "Грейс")
    chat = client.insert_chat("", ids_of([ada, grace]))
    sent = [client.insert_message(chat["chat_id"], ada["user_id"], f"сообщение {i}") for i in range(100)]
    expect_equal(client.get_messages(chat["chat_id"]), sent, "the messages of somebody who was away")
    times = [message["message_ts"] for message in sent]
    expect_equal(times, sorted(times), "the times")
    expect_equal(len({message["message_id"] for message in sent}), 100, "the number of message ids")


def t21_the_server_sets_the_time(client):
    (ada,) = people(client, "Ада")
    chat = client.insert_chat("notes", ids_of([ada]))
    params = {"chat_id": chat["chat_id"], "user_id": ada["user_id"], "message_text": "t", "message_ts": 1}
    with Connection(client.data) as connection:
        message = connection.ask(request_of("InsertMessage", params))["message"]
    expect(abs(message["message_ts"] - time.time() * 1000) < 60_000, f"{message['message_ts']} is not now")
    expect_refused(-32003, lambda: client.insert_message(chat["chat_id"], people(client, "X")[0]["user_id"], "t"))


def t23_t35_all_but_the_sender(client):
    users = people(client, "a", "b", "c", "d", "e")
    sender, second = users[0], users[1]
    chat = client.insert_chat("пятеро", ids_of(users))
    streams = [client.open_stream(user["user_id"]) for user in users + [second]]
    first = client.insert_message(chat["chat_id"], sender["user_id"], "раз")
    later = client.insert_message(chat["chat_id"], second["user_id"], "два")
    for stream in streams:
        # Were the sender told of its own message, that would be its next frame.
        if stream.user_id != sender["user_id"]:
            expect_next(stream, first)
        if stream.user_id != second["user_id"]:
            expect_next(stream, later)
        stream.connection.socket.close()


def t25_two_people_have_one_chat(client):
    ada, grace = people(client, "Ада", "Грейс")
    seen = []

    def insert(number):
        ids = ids_of([ada, grace])
        seen.append(client.insert_chat("", ids if number % 2 else ids[::-1])["chat_id"])

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    expect_equal(len(seen), 50, "the number of answers")
    expect_equal(len(set(seen)), 1, "the number of chats of two people")
    expect_equal([chat["chat_id"] for chat in client.get_chats(ada["user_id"])], seen[:1], "Ada's chats")


def t33_both_ways_of_closing(client):
    (ada,) = people(client, "Ада")
    with client.open_stream(ada["user_id"]) as stream:
        closed = stream.connection.ask(request_of("CloseStreamRequest", {"user_id": ada["user_id"]}))
        expect_equal(closed, {}, "the answer on the stream")
        expect(stream.connection.is_closed(), "the stream stays open after its own request")
    with client.open_stream(ada["user_id"]) as one, client.open_stream(ada["user_id"]) as two:
        expect_equal(client.close_stream(ada["user_id"]), {}, "the answer elsewhere")
        expect_equal(list(one) + list(two), [], "what the closed streams said")


def t34_nobody_else_broadcasts(client):
    ada, grace = people(client, "Ада", "Грейс")
    chat = client.insert_chat("", ids_of([ada, grace]))
    with client.open_stream(grace["user_id"]) as stream:
        forged = {"message_id": 1, "chat_id": chat["chat_id"], "user": ada, "message_text": "!", "message_ts": 1}
        params = {"receiver_ids": [grace["user_id"]], "message": forged}
        for method in ("BroadcastRequest", "Broadcast", "BroadcastMessage", "BroadcastMessageRequest"):
            with Connection(client.broadcast) as connection:
                expect_refused(-32003, lambda: connection.ask(request_of(method, params)))
        expect_next(stream, client.insert_message(chat["chat_id"], ada["user_id"], "подлинное"))


def t36_vanished_streams_hurt_nobody(client):
    ada, grace = people(client, "Ада", "Грейс")
    chat = client.insert_chat("", ids_of([ada, grace]))
    for _ in range(100):
        # More than the streams that a person may have at one time: the places of the vanished are free again.
        client.open_stream(grace["user_id"]).connection.socket.close()
    with client.open_stream(grace["user_id"]) as stream:
        expect_next(stream, client.insert_message(chat["chat_id"], ada["user_id"], "ещё здесь"))


def t39_requests_on_an_open_stream(client):
    ada, grace = people(client, "Ада", "Грейс")
    chat = client.insert_chat("", ids_of([ada, grace]))
    with client.open_stream(grace["user_id"]) as stream:
        ask = stream.connection.ask
        expect_refused(-32601, lambda: ask(request_of("InsertMessage", {"message_text": "wrong server"})))
        expect_refused(-32009, lambda: ask(request_of("OpenStreamRequest", {"user_id": grace["user_id"]})))
        expect_next(stream, client.insert_message(chat["chat_id"], ada["user_id"], "дальше"))


def t48_an_empty_poll_is_an_empty_object(client):
    (ada,) = people(client, "Ада")
    for timeout_s in (0.1, 0.5):
        begun = time.monotonic()
        expect_equal(client.receive_one_message(ada["user_id"], timeout_s), {}, "what came without traffic")
        expect(time.monotonic() - begun >= timeout_s, "the poll ended before its time")


ROWS = [value for name, value in list(globals().items()) if re.match(r"t\d\d_", name)]


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description="Checks both servers with a peer of version 1.")
    parser.add_argument("--data", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--broadcast", type=address, required=True, metavar="HOST:PORT")
    arguments = parser.parse_args()
    client = Client(arguments.data, arguments.broadcast)
    for row in ROWS:
        numbers, words = re.fullmatch(r"((?:t\d\d_)+)(.*)", row.__name__).groups()
        numbers, words = numbers.upper().replace("_", " ").strip(), words.replace("_", " ")
        try:
            row(client)
        except (Failed, Refused, OSError, KeyError, TypeError, ValueError) as error:
            print(f"{numbers} FAILED {words}: {type(error).__name__}: {error}", flush=True)
            return 1
        print(f"{numbers} ok {words}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
