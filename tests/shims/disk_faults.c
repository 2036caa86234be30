/* A disk that fails on demand, for LD_PRELOAD: calls that write to files whose name begins with TALKO_DISK_NAME fail
 * while the file TALKO_DISK_PLAN is there. The plan is one line:
 *
 *     CALLS ERRNO FROM COUNT
 *
 * CALLS are letters: w for writes, h for writes of which half is done first, s for flushes, t for truncations. The calls
 * are counted from the moment at which the plan appeared; the FROM-th and those after it fail, COUNT of them or, when
 * COUNT is 0, all. Each failure appends a byte to TALKO_DISK_PLAN.hits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char known_plan[128];
static long passed;

/* Whether the descriptor is of a file of the database. */
static int is_ours(int fd) {
    const char *name = getenv("TALKO_DISK_NAME");
    char link[64], path[4096];
    if (!name) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, name, strlen(name)) == 0;
}

static void note_hit(const char *plan) {
    char hits[4200];
    snprintf(hits, sizeof hits, "%s.hits", plan);
    int fd = syscall(SYS_openat, AT_FDCWD, hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, "x", 1);
    close(fd);
}

/* The error with which this call fails, or 0. */
static int fault(int fd, const char *letters, int *is_short) {
    const char *path = getenv("TALKO_DISK_PLAN");
    int before = errno, error = 0;
    if (!path || !is_ours(fd)) {
        errno = before;
        return 0;
    }
    pthread_mutex_lock(&turn);
    char plan[128] = "", calls[16] = "";
    int number = 0;
    long from = 0, count = 0;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file >= 0) {
        ssize_t length = syscall(SYS_read, file, plan, sizeof plan - 1);
        plan[length < 0 ? 0 : length] = 0;
        close(file);
    }
    if (strcmp(plan, known_plan) != 0) {
        strcpy(known_plan, plan);
        passed = 0;
    }
    if (sscanf(plan, "%15s %d %ld %ld", calls, &number, &from, &count) == 4 && strpbrk(calls, letters)) {
        passed++;
        if (passed >= from && (count == 0 || passed < from + count)) {
            error = number;
            *is_short = strchr(calls, 'h') != NULL;
            note_hit(path);
        }
    }
    pthread_mutex_unlock(&turn);
    errno = before;
    return error;
}

#define NEXT(type, name, ...) \
    static type (*next)(__VA_ARGS__); \
    if (!next) next = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* A short write tells how much was done; what fails then is the write of the rest. */
#define WRITE(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type offset) { \
        NEXT(ssize_t, #name, int, const void *, size_t, offset_type); \
        int is_short = 0, error = fault(fd, "wh", &is_short); \
        if (!error) return next(fd, bytes, length, offset); \
        if (is_short && length > 1) next(fd, bytes, length / 2, offset); \
        errno = error; \
        return -1; \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    int is_short = 0, error = fault(fd, "wh", &is_short);
    if (!error) return next(fd, bytes, length);
    errno = error;
    return -1;
}

#define FLUSH(name) \
    int name(int fd) { \
        NEXT(int, #name, int); \
        int is_short = 0, error = fault(fd, "s", &is_short); \
        if (!error) return next(fd); \
        errno = error; \
        return -1; \
    }
FLUSH(fsync)
FLUSH(fdatasync)

#define TRUNCATE(name, offset_type) \
    int name(int fd, offset_type length) { \
        NEXT(int, #name, int, offset_type); \
        int is_short = 0, error = fault(fd, "t", &is_short); \
        if (!error) return next(fd, length); \
        errno = error; \
        return -1; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
