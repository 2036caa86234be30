"""The dialect of version 1 (docs/PROTOCOL.md), written against the protocol alone.

`Client` hides both servers, one connection per request, and a stream is an iterator. Everything that a server sends
is checked on its way: headers, ids, and that members are exactly those of the dialect.
"""

import json
import re
import socket
import uuid

HEADER_BYTES = 10
PATIENCE_S = 20

USER = {"user_id", "user_name"}
MESSAGE = {"message_id", "chat_id", "user", "message_text", "message_ts"}
CHAT = {"chat_id", "chat_name", "users", "messages"}


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error.get('message')} ({error.get('code')})")
        self.code = error["code"]


class Failed(Exception):
    """Something is not as the row says."""


def expect(holds, sentence):
    if not holds:
        raise Failed(sentence)


def expect_equal(seen, expected, what):
    expect(seen == expected, f"{what} is {seen!r}, not {expected!r}")


def encode(request, escape=True):
    """One frame. Escaped JSON is ASCII, so its characters are its bytes; raw JSON is counted in bytes."""
    if escape:
        text = json.dumps(request)
        return f"{len(text):<10}{text}".encode("ascii")
    payload = json.dumps(request, ensure_ascii=False).encode("utf-8")
    return b"%-10d" % len(payload) + payload


def request_of(method, params, request_id=None):
    request_id = uuid.uuid4().int if request_id is None else request_id
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}


class Connection:
    """One TCP connection that speaks frames."""

    def __init__(self, address, timeout_s=PATIENCE_S):
        self.socket = socket.create_connection(address, timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive_bytes(self, count):
        """So many bytes, or None when the server closed before the first."""
        received = b""
        while len(received) < count:
            more = self.socket.recv(count - len(received))
            if not more:
                expect(not received, f"the server closed in the middle of a frame, after {received!r}")
                return None
            received += more
        return received

    def receive_text(self):
        """The next payload, or None when the server closed."""
        header = self.receive_bytes(HEADER_BYTES)
        if header is None:
            return None
        expect(re.fullmatch(rb"[0-9]{1,10} *", header), f"the header {header!r} is not padded digits (T01)")
        return (self.receive_bytes(int(header)) or b"").decode("utf-8")

    def receive(self):
        text = self.receive_text()
        expect(text is not None, "the server closed instead of answering")
        return json.loads(text)

    def is_closed(self):
        try:
            return self.receive_text() is None
        except ConnectionResetError:
            return True

    def ask(self, request, escape=True):
        """The result of one request."""
        self.send(encode(request, escape))
        return result_of(self.receive(), request["id"])


def result_of(reply, request_id):
    expect_equal(reply.get("id"), request_id, "the id of the reply")
    expect_equal(reply.get("jsonrpc"), "2.0", "the version of the reply")
    if "error" in reply:
        expect_equal(set(reply), {"jsonrpc", "error", "id"}, "the members of an error reply")
        raise Refused(reply["error"])
    expect_equal(set(reply), {"jsonrpc", "result", "id"}, "the members of a reply")
    return reply["result"]


class Client:
    """Both servers behind one object. Every call is a connection of its own, as in 2020."""

    def __init__(self, data, broadcast, escape=True):
        self.data = data
        self.broadcast = broadcast
        self.escape = escape

    def _call(self, address, method, params):
        with Connection(address) as connection:
            return connection.ask(request_of(method, params), self.escape)

    def get_user(self, user_id):
        return self._call(self.data, "GetUser", {"user_id": user_id})["user"]

    def insert_user(self, user_name):
        return self._call(self.data, "InsertUser", {"user_name": user_name})["user"]

    def get_chats(self, user_id):
        return self._call(self.data, "GetChats", {"user_id": user_id})["chats"]

    def insert_chat(self, chat_name, user_ids):
        return self._call(self.data, "InsertChat", {"chat_name": chat_name, "user_ids": user_ids})["chat"]

    def get_messages(self, chat_id):
        return self._call(self.data, "GetMessages", {"chat_id": chat_id})["messages"]

    def insert_message(self, chat_id, user_id, message_text):
        params = {"chat_id": chat_id, "user_id": user_id, "message_text": message_text}
        return self._call(self.data, "InsertMessage", params)["message"]

    def open_stream(self, user_id, timeout_s=PATIENCE_S):
        """An iterator of new messages, open when this returns."""
        return Stream(self.broadcast, user_id, timeout_s)

    def close_stream(self, user_id):
        """Ends all streams of a person, from elsewhere."""
        return self._call(self.broadcast, "CloseStreamRequest", {"user_id": user_id})

    def receive_one_message(self, user_id, timeout_s=None):
        """The next message, or an empty object after the time-out."""
        with Connection(self.broadcast) as connection:
            connection.ask(request_of("OpenStreamRequest", {"user_id": user_id}))
            connection.socket.settimeout(timeout_s)
            try:
                return connection.receive()["result"]["message"]
            except socket.timeout:
                return {}


class Stream:
    """An open stream: an iterator that ends when the server closes."""

    def __init__(self, address, user_id, timeout_s=PATIENCE_S):
        self.user_id = user_id
        self.connection = Connection(address, timeout_s)
        opened = self.connection.ask(request_of("OpenStreamRequest", {"user_id": user_id}))
        expect_equal(opened, {}, "the answer to OpenStreamRequest (T31)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.socket.close()

    def __iter__(self):
        return self

    def __next__(self):
        text = self.connection.receive_text()
        if text is None:
            raise StopIteration
        frame = json.loads(text)
        expect_equal(set(frame), {"jsonrpc", "result"}, "the members of a stream frame, without an id (T32)")
        expect_equal(set(frame["result"]), {"receiver_ids", "message"}, "the members of its result (T32)")
        expect_equal(frame["result"]["receiver_ids"], [], "receiver_ids, which tells nobody of others (T32)")
        return frame["result"]["message"]


# ---- Shapes


def expect_user(user):
    expect_equal(set(user), USER, "the members of a user")
    expect(type(user["user_id"]) is int and type(user["user_name"]) is str, f"{user!r} is no user")


def expect_message(message, chat_id=None, user=None, text=None):
    expect_equal(set(message), MESSAGE, "the members of a message")
    expect_user(message["user"])
    numbers = [message["message_id"], message["chat_id"], message["message_ts"]]
    expect(all(type(number) is int for number in numbers), f"{message!r} has a number that is none")
    for name, expected in (("chat_id", chat_id), ("user", user), ("message_text", text)):
        if expected is not None:
            expect_equal(message[name], expected, name)


def expect_chat(chat):
    expect_equal(set(chat), CHAT, "the members of a chat")
    expect(type(chat["chat_id"]) is int and type(chat["chat_name"]) is str, f"{chat!r} is no chat")
    for user in chat["users"]:
        expect_user(user)
    for message in chat["messages"]:
        expect_message(message, chat_id=chat["chat_id"])


def expect_refused(code, ask):
    try:
        answer = ask()
    except Refused as refused:
        expect_equal(refused.code, code, "the code of the refusal")
    else:
        raise Failed(f"{answer!r} was answered instead of the error {code}")


def expect_next(stream, message):
    """The very next frame of the stream is this message."""
    expect_equal(next(stream, None), message, f"what the stream of user {stream.user_id} got")
