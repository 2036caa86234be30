// A disk that can lose power, for a process that is started with this library in LD_PRELOAD (Linux).
//
// Before each change of a file that lies directly in the folder TALKO_POWER_FOLDER, what the change will overwrite is
// written to a log of that file in the folder TALKO_POWER_LOG. A sync of the file empties its log, so that a log always
// holds exactly what a power cut could undo. A sync of the folder notes which names it has. After the death of the
// process, tests/src/power.rs undoes what it likes of this.
//
// TALKO_POWER_LOG then has:
//   INODE.log    records of the changes since the last sync, in order; the last one may be cut short, and then its
//                change was not made
//   INODE.file   the file itself, so that its inode stays its own when it loses its name
//   names.TIME/  every name in the folder at its last sync, as a link; the latest TIME counts
//
// Not seen: changes by mmap (of SQLite here only those of the wal-index, which a cut throws away anyway), pwritev,
// fallocate, copy_file_range, O_SYNC. Neither SQLite nor data-server uses them on these files.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Added to each sync of a log or a folder, and to one of a database, which comes with checkpoints alone.
#define SYNC_NANOS 1000000
#define CHECKPOINT_NANOS 20000000

// Of all numbers in the order of the machine: where, how much, the length of the file before, and how many overwritten
// bytes follow. A change of length alone has `count` -1, and the new length in `offset`.
struct record {
    int64_t offset, count, length_before, saved;
};

static char folder[PATH_MAX], logs[PATH_MAX];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *from = getenv("TALKO_POWER_FOLDER"), *to = getenv("TALKO_POWER_LOG");
    if (!from || !to || !realpath(from, folder) || !realpath(to, logs)) folder[0] = 0;
}

// A disk that forgets to note something would prove anything.
static void fail(const char *what) {
    dprintf(2, "power_cut: %s: %s\n", what, strerror(errno));
    abort();
}

// Calls of the kernel, and not those below.
static long kernel_write(int fd, const void *bytes, size_t count) { return syscall(SYS_write, fd, bytes, count); }
static long kernel_truncate(int fd, off_t length) { return syscall(SYS_ftruncate, fd, length); }

static int ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), of_ending = strlen(ending);
    return length >= of_ending && strcmp(name + length - of_ending, ending) == 0;
}

// Whether this is a file of the folder, or the folder itself, and its name.
static int is_watched(int fd, struct stat *status, char name[PATH_MAX]) {
    char link[64];
    if (!folder[0] || fstat(fd, status) || !(S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, PATH_MAX - 1);
    if (length < 0) return 0;
    name[length] = 0;
    if (S_ISDIR(status->st_mode)) return strcmp(name, folder) == 0;
    size_t above = strlen(folder);
    if (strncmp(name, folder, above) || name[above] != '/' || strchr(name + above + 1, '/')) return 0;
    return !ends_with(name, "-shm");
}

static int open_log(const struct stat *status, const char *name) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%llu.log", logs, (unsigned long long)status->st_ino);
    int log = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log >= 0) return log;
    log = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_CREAT, 0600);
    if (log < 0) fail(path);
    snprintf(path, sizeof path, "%s/%llu.file", logs, (unsigned long long)status->st_ino);
    if (link(name, path) && errno != EEXIST && errno != ENOENT) fail(path);
    return log;
}

static void append(int log, const void *bytes, size_t count) {
    while (count > 0) {
        long written = kernel_write(log, bytes, count);
        if (written <= 0) fail("append");
        bytes = (const char *)bytes + written;
        count -= written;
    }
}

// SQLite's descriptors may be read from. Closing another one of the same file would give up SQLite's locks, so that is
// for files that are open for writing alone.
static void save(int fd, int log, int64_t from, int64_t count) {
    static char bytes[1 << 16];
    char link[64];
    int source = fd;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        source = open(link, O_RDONLY | O_CLOEXEC);
    }
    while (count > 0) {
        size_t part = count < (int64_t)sizeof bytes ? (size_t)count : sizeof bytes;
        ssize_t read = pread(source, bytes, part, from);
        if (read <= 0) fail("save");
        append(log, bytes, read);
        from += read;
        count -= read;
    }
    if (source != fd) syscall(SYS_close, source);
}

static void note(int fd, const struct stat *status, const char *name, int64_t offset, int64_t count) {
    int64_t end = count < 0 ? status->st_size : offset + count;
    if (end > status->st_size) end = status->st_size;
    struct record record = {offset, count, status->st_size, end > offset ? end - offset : 0};
    int log = open_log(status, name);
    append(log, &record, sizeof record);
    if (record.saved > 0) save(fd, log, offset, record.saved);
    syscall(SYS_close, log);
}

static void note_names(void) {
    static char making[PATH_MAX + 64], from[2 * PATH_MAX], to[2 * PATH_MAX];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long time = now.tv_sec * 1000000000ULL + now.tv_nsec;
    snprintf(making, sizeof making, "%s/making.%020llu", logs, time);
    if (mkdir(making, 0700)) fail(making);
    DIR *names = opendir(folder);
    if (!names) fail(folder);
    for (struct dirent *entry; (entry = readdir(names));) {
        if (entry->d_type != DT_REG) continue;
        snprintf(from, sizeof from, "%s/%s", folder, entry->d_name);
        snprintf(to, sizeof to, "%s/%s", making, entry->d_name);
        if (link(from, to) && errno != ENOENT) fail(to);
    }
    closedir(names);
    snprintf(to, sizeof to, "%s/names.%020llu", logs, time);
    if (rename(making, to)) fail(to);
}

static long change(int fd, const void *bytes, size_t count, int64_t offset) {
    struct stat status;
    char name[PATH_MAX];
    int seeks = offset < 0;
    if (!is_watched(fd, &status, name) || S_ISDIR(status.st_mode))
        return seeks ? kernel_write(fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
    pthread_mutex_lock(&one_at_a_time);
    int64_t at = offset;
    if (seeks) at = fcntl(fd, F_GETFL) & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
    if (fstat(fd, &status)) fail("fstat");
    note(fd, &status, name, at, count);
    long written = seeks ? kernel_write(fd, bytes, count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
    int error = errno;
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return written;
}

ssize_t write(int fd, const void *bytes, size_t count) { return change(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return change(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return change(fd, bytes, count, offset); }

int ftruncate(int fd, off_t length) {
    struct stat status;
    char name[PATH_MAX];
    if (!is_watched(fd, &status, name)) return kernel_truncate(fd, length);
    pthread_mutex_lock(&one_at_a_time);
    if (fstat(fd, &status)) fail("fstat");
    note(fd, &status, name, length, -1);
    int result = kernel_truncate(fd, length), error = errno;
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

// Nothing is changed meanwhile, so that everything before this, and nothing after it, is safe. It takes as long as on a
// slow disk, so that a death often falls into it.
static int sync_by(long call, int fd) {
    struct stat status;
    char name[PATH_MAX];
    if (!is_watched(fd, &status, name)) return syscall(call, fd);
    struct timespec slow = {0, ends_with(name, ".db") ? CHECKPOINT_NANOS : SYNC_NANOS};
    pthread_mutex_lock(&one_at_a_time);
    nanosleep(&slow, NULL);
    int result = syscall(call, fd), error = errno;
    if (result == 0 && S_ISDIR(status.st_mode)) {
        note_names();
    } else if (result == 0) {
        int log = open_log(&status, name);
        if (kernel_truncate(log, 0)) fail("ftruncate");
        syscall(SYS_close, log);
    }
    pthread_mutex_unlock(&one_at_a_time);
    errno = error;
    return result;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
