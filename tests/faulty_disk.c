/* A disk that fails when it is told to, below everything that a process does to files.
 *
 * Preloaded before libc, it takes the calls that change files. What to do stands in one page that
 * the test shares with every process (see faulty_disk.py); nothing is changed while it says so.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, NAME = 4 };
enum { BEFORE, HALF, AFTER };

struct control {
    int kinds;
    int code;
    int skip;  /* So many calls are let pass first. */
    int times; /* Then so many fail. */
    int how;
    int seen;
    int fired;
    char where[228]; /* Only files whose path has this in it. */
};

static struct control *control;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("FAULTY_DISK");
    int page = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (page < 0)
        return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    syscall(SYS_close, page);
    if (shared != MAP_FAILED)
        control = shared;
}

static int fails_at(int kind, const char *path)
{
    if (!control || !(control->kinds & kind) || !strstr(path, control->where))
        return 0;
    __atomic_fetch_add(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (__atomic_fetch_sub(&control->skip, 1, __ATOMIC_SEQ_CST) > 0)
        return 0;
    if (__atomic_fetch_sub(&control->times, 1, __ATOMIC_SEQ_CST) <= 0)
        return 0;
    __atomic_fetch_add(&control->fired, 1, __ATOMIC_SEQ_CST);
    return 1;
}

static int fails(int kind, int descriptor)
{
    char link[64], path[PATH_MAX];
    if (!control || !(control->kinds & kind))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails_at(kind, path);
}

/* A path as it is seen from a directory that is open. */
static int fails_in(int kind, int directory, const char *path)
{
    return path[0] == '/' || directory == AT_FDCWD ? fails_at(kind, path) : fails(kind, directory);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define FAIL(done)                    \
    do {                              \
        if (control->how == AFTER)    \
            (void)(done);             \
        errno = control->code;        \
        return -1;                    \
    } while (0)

#define WRITING(call, half)                          \
    do {                                             \
        if (fails(WRITE, descriptor)) {              \
            if (control->how == HALF && size > 1)    \
                return half;                         \
            FAIL(call);                              \
        }                                            \
        return call;                                 \
    } while (0)

/* HALF of a write is a short one, as on a disk that gets full; the rest is then refused. */
static size_t halved(size_t size)
{
    __atomic_fetch_add(&control->times, 1, __ATOMIC_SEQ_CST);
    control->how = BEFORE;
    return size / 2;
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    WRITING(REAL(write)(descriptor, bytes, size),
            REAL(write)(descriptor, bytes, halved(size)));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    WRITING(REAL(pwrite)(descriptor, bytes, size, at),
            REAL(pwrite)(descriptor, bytes, halved(size), at));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at)
{
    WRITING(REAL(pwrite64)(descriptor, bytes, size, at),
            REAL(pwrite64)(descriptor, bytes, halved(size), at));
}

#define DESCRIBED(kind, name, ...)                   \
    do {                                             \
        if (fails(kind, descriptor))                 \
            FAIL(REAL(name)(__VA_ARGS__));           \
        return REAL(name)(__VA_ARGS__);              \
    } while (0)

int fsync(int descriptor) { DESCRIBED(SYNC, fsync, descriptor); }
int fdatasync(int descriptor) { DESCRIBED(SYNC, fdatasync, descriptor); }
int ftruncate(int descriptor, off_t size) { DESCRIBED(NAME, ftruncate, descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { DESCRIBED(NAME, ftruncate64, descriptor, size); }

#define NAMED(directory, path, name, ...)            \
    do {                                             \
        if (fails_in(NAME, directory, path))         \
            FAIL(REAL(name)(__VA_ARGS__));           \
        return REAL(name)(__VA_ARGS__);              \
    } while (0)

int unlink(const char *path) { NAMED(AT_FDCWD, path, unlink, path); }
int rmdir(const char *path) { NAMED(AT_FDCWD, path, rmdir, path); }
int mkdir(const char *path, mode_t mode) { NAMED(AT_FDCWD, path, mkdir, path, mode); }
int rename(const char *path, const char *other) { NAMED(AT_FDCWD, other, rename, path, other); }
int link(const char *path, const char *other) { NAMED(AT_FDCWD, other, link, path, other); }

int unlinkat(int directory, const char *path, int flags)
{
    NAMED(directory, path, unlinkat, directory, path, flags);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    NAMED(directory, path, mkdirat, directory, path, mode);
}

int renameat(int directory, const char *path, int other_directory, const char *other)
{
    NAMED(other_directory, other, renameat, directory, path, other_directory, other);
}

#define OPENING(directory, name, ...)                \
    do {                                             \
        mode_t mode = 0;                             \
        if (flags & O_CREAT) {                       \
            va_list more;                            \
            va_start(more, flags);                   \
            mode = va_arg(more, mode_t);             \
            va_end(more);                            \
            if (fails_in(NAME, directory, path)) {   \
                errno = control->code;               \
                return -1;                           \
            }                                        \
        }                                            \
        return REAL(name)(__VA_ARGS__, flags, mode); \
    } while (0)

int open(const char *path, int flags, ...) { OPENING(AT_FDCWD, open, path); }
int open64(const char *path, int flags, ...) { OPENING(AT_FDCWD, open64, path); }
int openat(int directory, const char *path, int flags, ...)
{
    OPENING(directory, openat, directory, path);
}
int openat64(int directory, const char *path, int flags, ...)
{
    OPENING(directory, openat64, directory, path);
}
