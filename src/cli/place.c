/* Writes a file beside its place, makes it durable, and then puts it there by one rename. */
#include "place.h"

#include <whichworker/arena.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100 /* names that others have left behind */

static int fail(const struct place *p, struct ww_err *err)
{
    return ww_err_errno(err, errno, "cannot write '%s'", p->path);
}

/* A link is followed: what it points at is replaced, not the link. */
static void resolve(struct place *p)
{
    char *real = realpath(p->path, NULL);

    if (real != NULL) {
        free(p->path);
        p->path = real;
    }
    char *slash = strrchr(p->path, '/');
    p->directory = ww_xstrdup(slash == NULL ? "." : p->path);
    if (slash != NULL)
        p->directory[slash - p->path + (slash == p->path)] = '\0';
}

/* A name beside the place that nobody has; the descriptor is made, or given one, by `make`. */
static int with_name(struct place *p, int (*make)(struct place *p, const char *name))
{
    for (unsigned i = 0; i < TRIES; i++) {
        size_t size = strlen(p->directory) + 64;
        char *name = ww_xmalloc(size);

        snprintf(name, size, "%s/.whichworker-%ld-%u.tmp", p->directory, (long)getpid(), i);
        if (make(p, name) == 0) {
            p->temporary = name;
            return 0;
        }
        free(name);
        if (errno != EEXIST)
            break;
    }
    return -1;
}

static int create_private(struct place *p, const char *name)
{
    p->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return p->fd < 0 ? -1 : 0;
}

static int create_public(struct place *p, const char *name)
{
    p->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return p->fd < 0 ? -1 : 0;
}

static int link_name(struct place *p, const char *name)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", p->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static int create(struct place *p, bool is_private)
{
    p->fd = open(p->directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, is_private ? 0600 : 0666);
    if (p->fd >= 0)
        return 0;
    /* What a file system without unnamed files says (open(2)), old ones among them. */
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -1;
    return with_name(p, is_private ? create_private : create_public);
}

/*
 * The descriptor that a path names, or -1. It may lead to a file, as /dev/stdout does behind ">
 * FILE"; to open that anew would be to write from its beginning, over what others have written.
 */
static int descriptor_of(ww_str path)
{
    static const char *const directories[] = { "/dev/fd/", "/proc/self/fd/" };
    uint64_t fd;

    if (ww_str_eq(path, WW_STR("-")) || ww_str_eq(path, WW_STR("/dev/stdout")))
        return STDOUT_FILENO;
    if (ww_str_eq(path, WW_STR("/dev/stderr")))
        return STDERR_FILENO;
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        if (ww_str_starts(path, ww_str_c(directories[i])) &&
            ww_str_u64(ww_str_from(path, strlen(directories[i])), &fd) && fd <= INT_MAX)
            return (int)fd;
    }
    return -1;
}

static int open_direct(struct place *p)
{
    int named = descriptor_of(ww_str_c(p->path));

    p->direct = true;
    if (named >= 0)
        p->fd = fcntl(named, F_DUPFD_CLOEXEC, 3);
    else
        p->fd = open(p->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return p->fd < 0 ? -1 : 0;
}

static void start(struct place *p, ww_str path)
{
    *p = (struct place){ .fd = -1, .path = ww_xmalloc(path.len + 1) };
    memcpy(p->path, path.ptr, path.len);
    p->path[path.len] = '\0';
}

int place_open(struct place *p, ww_str path, bool is_private, struct ww_err *err)
{
    struct stat st;
    int r;

    start(p, path);
    bool is_there = stat(p->path, &st) == 0;
    if (is_there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        r = -1;
    } else if (descriptor_of(path) >= 0 || (is_there && !S_ISREG(st.st_mode))) {
        r = open_direct(p);
    } else {
        resolve(p);
        r = create(p, is_private);
    }
    if (r < 0) {
        r = fail(p, err);
        place_close(p);
    }
    return r;
}

static void sync_directory(const struct place *p)
{
    int fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* The file is whole by now; a directory that cannot be synced is no reason to take it back.
     */
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

int place_put(struct place *p, struct ww_err *err)
{
    if (p->direct)
        return WW_OK;
    if (fsync(p->fd) < 0 && errno != EINVAL)
        return fail(p, err);
    if (p->temporary == NULL && with_name(p, link_name) < 0)
        return fail(p, err);
    if (rename(p->temporary, p->path) < 0)
        return fail(p, err);
    free(p->temporary);
    p->temporary = NULL;
    sync_directory(p);
    return WW_OK;
}

int place_check(ww_str path, struct ww_err *err)
{
    struct place p;
    struct stat st;
    int r = WW_OK;

    /* A pipe is not opened to try it: that would wait for its reader. */
    start(&p, path);
    if (descriptor_of(path) < 0 && stat(p.path, &st) == 0 && !S_ISREG(st.st_mode) &&
        !S_ISDIR(st.st_mode)) {
        if (access(p.path, W_OK) < 0)
            r = fail(&p, err);
        place_close(&p);
        return r;
    }
    place_close(&p);
    r = place_open(&p, path, true, err);
    if (r == WW_OK)
        place_close(&p);
    return r;
}

void place_close(struct place *p)
{
    if (p->temporary != NULL)
        unlink(p->temporary);
    if (p->fd >= 0)
        close(p->fd);
    free(p->temporary);
    free(p->directory);
    free(p->path);
    *p = (struct place){ .fd = -1 };
}
