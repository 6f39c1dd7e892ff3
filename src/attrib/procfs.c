/* Reads /proc/PID: stat, descriptors, children, command; safely against vanishing and odd
 * names. */
#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A stat line: a name of up to 64 bytes and 52 numbers. */
#define STAT_ROOM     2048
#define STATUS_ROOM   8192
#define CHILDREN_ROOM 16384
#define DIRENT_ROOM   4096
#define LINK_ROOM     64

/* Positions in stat, counted from the state (field 3 of proc(5)) as 0. */
#define AT_PPID   1
#define AT_REAPED 8
#define AT_START  19

/* The whole text up to room bytes; -1 on error. */
static ssize_t read_at(int dir, const char *name, char *out, size_t room)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t have = 0;

    if (fd < 0)
        return -1;
    while (have < room) {
        ssize_t n = read(fd, out + have, room - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            close(fd);
            return -1;
        }
        if (n == 0)
            break;
        have += (size_t)n;
    }
    close(fd);
    return (ssize_t)have;
}

static bool parse_pid(ww_str s, int32_t *out_pid)
{
    uint64_t v = 0;

    if (!ww_str_u64(s, &v) || v == 0 || v > INT32_MAX)
        return false;
    *out_pid = (int32_t)v;
    return true;
}

static ptrdiff_t last_paren(ww_str s)
{
    for (size_t i = s.len; i > 0; i--) {
        if (s.ptr[i - 1] == ')')
            return (ptrdiff_t)i - 1;
    }
    return -1;
}

/* A process chooses its name, so it may hold ") R 1 (", spaces and newlines: the last ')' ends
 * it, since only numbers follow. */
bool ww_proc_parse_stat(ww_str text, struct ww_proc *out_proc)
{
    ptrdiff_t open = ww_str_find(text, WW_STR(" ("));
    ptrdiff_t close = last_paren(text);
    struct ww_proc p = { .dir = -1 };
    uint64_t value[AT_START + 1] = { 0 };
    size_t n = 0;
    ww_str piece;

    if (open < 0 || close < open || !parse_pid(ww_str_upto(text, (size_t)open), &p.pid))
        return false;

    ww_str name = ww_str_n(text.ptr + open + 2, (size_t)(close - open - 2));
    ww_str rest = ww_str_from(text, (size_t)close + 1);

    if (close == open + 1 || !ww_str_starts(rest, WW_STR(" ")))
        return false;
    rest = ww_str_from(rest, 1);
    while (n <= AT_START && ww_str_cut(&rest, ' ', &piece)) {
        if (n == 0 && piece.len == 1) {
            p.state = piece.ptr[0];
        } else if (!ww_str_u64(piece, &value[n])) {
            value[n] = 0; /* some fields are negative; none of those that count here */
        }
        n++;
    }
    if (n <= AT_START || p.state == '\0' || value[AT_PPID] > INT32_MAX || value[AT_START] == 0)
        return false;
    p.ppid = (int32_t)value[AT_PPID];
    p.reaped = value[AT_REAPED];
    p.start_ticks = value[AT_START];

    size_t keep = name.len < sizeof(p.comm) - 1 ? name.len : sizeof(p.comm) - 1;

    memcpy(p.comm, name.ptr, keep);
    *out_proc = p;
    return true;
}

static bool read_stat(int dir, struct ww_proc *out)
{
    char text[STAT_ROOM];
    ssize_t n = read_at(dir, "stat", text, sizeof(text));

    return n > 0 && ww_proc_parse_stat(ww_str_n(text, (size_t)n), out);
}

bool ww_proc_open(int root, int32_t pid, struct ww_proc *out_proc)
{
    char name[16];
    struct ww_proc p;

    snprintf(name, sizeof(name), "%d", pid);

    int dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return false;
    if (!read_stat(dir, &p) || p.pid != pid) {
        close(dir);
        return false;
    }
    p.dir = dir;
    *out_proc = p;
    return true;
}

void ww_proc_close(struct ww_proc *p)
{
    if (p->dir >= 0)
        close(p->dir);
    p->dir = -1;
}

bool ww_proc_refresh(struct ww_proc *p)
{
    struct ww_proc now;

    if (!read_stat(p->dir, &now) || now.pid != p->pid || now.start_ticks != p->start_ticks)
        return false;
    now.dir = p->dir;
    *p = now;
    return true;
}

/* "socket:[123]" */
static bool parse_socket(ww_str link, uint64_t *out_inode)
{
    ww_str prefix = WW_STR("socket:[");

    return ww_str_starts(link, prefix) && ww_str_ends(link, WW_STR("]")) &&
           ww_str_u64(ww_str_n(link.ptr + prefix.len, link.len - prefix.len - 1), out_inode);
}

/* HIDDEN only for a refusal; a descriptor or a process that is gone holds nothing. */
static enum ww_held read_socket(int dir, const char *name, uint64_t *out_inode)
{
    char link[LINK_ROOM];
    ssize_t n = readlinkat(dir, name, link, sizeof(link));

    if (n < 0)
        return errno == EACCES || errno == EPERM ? WW_HELD_HIDDEN : WW_HELD_NO;
    return parse_socket(ww_str_n(link, (size_t)n), out_inode) ? WW_HELD_YES : WW_HELD_NO;
}

enum ww_held ww_proc_holds_at(const struct ww_proc *p, int fd, uint64_t inode)
{
    char name[24];
    uint64_t got = 0;

    if (p->dir < 0)
        return WW_HELD_NO;
    snprintf(name, sizeof(name), "fd/%d", fd);

    enum ww_held held = read_socket(p->dir, name, &got);

    return held == WW_HELD_YES && got != inode ? WW_HELD_NO : held;
}

/* Entries of a directory whose names are numbers; no allocation, unlike opendir. */
typedef enum ww_held number_fn(void *ctx, int dir, int32_t number);

static enum ww_held each_number(int dir, number_fn *fn, void *ctx)
{
    union {
        struct dirent64 aligned;
        char bytes[DIRENT_ROOM];
    } buf;

    for (;;) {
        ssize_t n = getdents64(dir, buf.bytes, sizeof(buf.bytes));

        if (n < 0)
            return errno == EACCES || errno == EPERM ? WW_HELD_HIDDEN : WW_HELD_NO;
        if (n == 0)
            return WW_HELD_NO;
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *e = (const struct dirent64 *)(const void *)(buf.bytes + at);
            uint64_t number = 0;

            at += e->d_reclen;
            if (!ww_str_u64(ww_str_c(e->d_name), &number) || number > INT32_MAX)
                continue;

            enum ww_held held = fn(ctx, dir, (int32_t)number);

            if (held != WW_HELD_NO)
                return held;
        }
    }
}

struct socket_walk {
    ww_proc_socket_fn *fn;
    void *ctx;
};

static enum ww_held on_fd(void *ctx, int dir, int32_t fd)
{
    struct socket_walk *w = ctx;
    char name[16];
    uint64_t inode = 0;

    snprintf(name, sizeof(name), "%d", fd);

    enum ww_held held = read_socket(dir, name, &inode);

    if (held != WW_HELD_YES)
        return held;
    return w->fn(w->ctx, fd, inode) ? WW_HELD_NO : WW_HELD_YES;
}

enum ww_held ww_proc_each_socket(const struct ww_proc *p, ww_proc_socket_fn *fn, void *ctx)
{
    struct socket_walk walk = { .fn = fn, .ctx = ctx };

    if (p->dir < 0)
        return WW_HELD_NO;

    int dir = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return errno == EACCES || errno == EPERM ? WW_HELD_HIDDEN : WW_HELD_NO;

    enum ww_held held = each_number(dir, on_fd, &walk);

    close(dir);
    return held;
}

struct one_socket {
    uint64_t inode;
    int fd;
};

static bool is_the_one(void *ctx, int fd, uint64_t inode)
{
    struct one_socket *one = ctx;

    if (inode != one->inode)
        return true;
    one->fd = fd;
    return false;
}

enum ww_held ww_proc_find_socket(const struct ww_proc *p, uint64_t inode, int *out_fd)
{
    struct one_socket one = { .inode = inode, .fd = -1 };
    enum ww_held held = ww_proc_each_socket(p, is_the_one, &one);

    if (held == WW_HELD_YES)
        *out_fd = one.fd;
    return held;
}

struct child_walk {
    int32_t *pids;
    size_t room;
    int32_t main_thread;
    int count; /* -1: not to be known */
};

static enum ww_held on_task(void *ctx, int dir, int32_t tid)
{
    struct child_walk *w = ctx;
    char name[32];
    char text[CHILDREN_ROOM];

    snprintf(name, sizeof(name), "%d/children", tid);

    ssize_t n = read_at(dir, name, text, sizeof(text));

    /* A thread may end between the listing and here; but where the first one has no such file,
     * the kernel is built without CONFIG_PROC_CHILDREN. A file cut in the middle lists too few.
     */
    if (n < 0 && (tid == w->main_thread || (errno != ENOENT && errno != ESRCH)))
        w->count = -1;
    if (n == (ssize_t)sizeof(text))
        w->count = -1;
    if (w->count < 0)
        return WW_HELD_YES;

    ww_str rest = ww_str_n(text, n < 0 ? 0 : (size_t)n);
    ww_str piece;

    while (ww_str_cut(&rest, ' ', &piece)) {
        int32_t pid = 0;

        if (!parse_pid(ww_str_trim(piece), &pid))
            continue;
        if ((size_t)w->count < w->room)
            w->pids[w->count] = pid;
        w->count++;
    }
    return WW_HELD_NO;
}

int ww_proc_children(const struct ww_proc *p, int32_t *out_pids, size_t room)
{
    struct child_walk walk = { .pids = out_pids, .room = room, .main_thread = p->pid };

    if (p->dir < 0)
        return -1;

    int dir = openat(p->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return -1;
    (void)each_number(dir, on_task, &walk);
    close(dir);
    return walk.count;
}

struct pid_walk {
    ww_proc_pid_fn *fn;
    void *ctx;
};

static enum ww_held on_pid(void *ctx, int dir, int32_t pid)
{
    struct pid_walk *w = ctx;

    (void)dir;
    return w->fn(w->ctx, pid) ? WW_HELD_NO : WW_HELD_YES;
}

void ww_proc_each_pid(int root, ww_proc_pid_fn *fn, void *ctx)
{
    struct pid_walk walk = { .fn = fn, .ctx = ctx };
    int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return;
    (void)each_number(dir, on_pid, &walk);
    close(dir);
}

/* The value behind "name:", without the blanks around it. */
static bool status_field(ww_str text, ww_str name, ww_str *out_value)
{
    ww_str line;

    while (ww_str_cut(&text, '\n', &line)) {
        if (!ww_str_starts(line, name) || line.len == name.len || line.ptr[name.len] != ':')
            continue;
        *out_value = ww_str_trim(ww_str_from(line, name.len + 1));
        return true;
    }
    return false;
}

static bool status_mask(ww_str text, ww_str name, uint64_t *out_mask)
{
    ww_str hex = { 0 };
    uint64_t mask = 0;

    if (!status_field(text, name, &hex) || hex.len == 0 || hex.len > 16)
        return false;
    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.ptr[i];

        if (c >= '0' && c <= '9')
            mask = mask << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            mask = mask << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out_mask = mask;
    return true;
}

bool ww_proc_parse_status(ww_str text, struct ww_proc_status *out_status)
{
    struct ww_proc_status s = { 0 };
    ww_str uids = { 0 };
    ww_str uid = { 0 };
    uint64_t value = 0;

    if (!status_field(text, WW_STR("Uid"), &uids) || !ww_str_cut(&uids, '\t', &uid) ||
        !ww_str_cut(&uids, '\t', &uid) || !ww_str_u64(uid, &value) || value > UINT32_MAX ||
        !status_mask(text, WW_STR("SigIgn"), &s.ignores) ||
        !status_mask(text, WW_STR("CapEff"), &s.cap_allowed) ||
        !status_mask(text, WW_STR("CapBnd"), &s.cap_bounding))
        return false;
    s.uid = (uint32_t)value;
    *out_status = s;
    return true;
}

bool ww_proc_status(const struct ww_proc *p, struct ww_proc_status *out_status)
{
    char text[STATUS_ROOM];
    ssize_t n = read_at(p->dir, "status", text, sizeof(text));

    return n > 0 && ww_proc_parse_status(ww_str_n(text, (size_t)n), out_status);
}

bool ww_proc_ignores_children(const struct ww_proc *p)
{
    char text[STATUS_ROOM];
    ssize_t n = read_at(p->dir, "status", text, sizeof(text));
    uint64_t ignores = 0;

    if (n <= 0 || !status_mask(ww_str_n(text, (size_t)n), WW_STR("SigIgn"), &ignores))
        return true;
    return (ignores >> (SIGCHLD - 1) & 1) != 0;
}

static enum ww_held read_one_link(void *ctx, int dir, int32_t fd)
{
    int *error = ctx;
    char name[16];
    char link[LINK_ROOM];

    snprintf(name, sizeof(name), "%d", fd);
    if (readlinkat(dir, name, link, sizeof(link)) >= 0)
        *error = 0;
    else if (errno == ENOENT)
        return WW_HELD_NO; /* it was closed meanwhile: try another */
    else
        *error = errno;
    return WW_HELD_YES;
}

int ww_proc_fd_error(const struct ww_proc *p)
{
    int dir = openat(p->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = 0;

    if (dir < 0)
        return errno;
    (void)each_number(dir, read_one_link, &error);
    close(dir);
    return error;
}

bool ww_proc_is_closed(const struct ww_proc *p, uint32_t uid)
{
    struct stat st;

    return fstatat(p->dir, "fd", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != uid;
}

void ww_proc_command(const struct ww_proc *p, char *out, size_t room)
{
    ssize_t n = read_at(p->dir, "cmdline", out, room - 1);

    if (n < 0)
        n = 0;
    while (n > 0 && out[n - 1] == '\0')
        n--;
    for (ssize_t i = 0; i < n; i++) {
        if (out[i] == '\0')
            out[i] = ' ';
    }
    out[n] = '\0';
    if (n == 0)
        snprintf(out, room, "%s", p->comm);
}

int64_t ww_proc_tick_us(void)
{
    long hz = sysconf(_SC_CLK_TCK);

    return hz > 0 ? 1000000 / hz : 10000;
}

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Start times count from boot and include suspended time, unlike CLOCK_MONOTONIC. */
static int64_t start_of(const struct ww_proc *p, clockid_t clock)
{
    int64_t boot_us = (int64_t)p->start_ticks * ww_proc_tick_us();

    return boot_us + clock_us(clock) - clock_us(CLOCK_BOOTTIME);
}

int64_t ww_proc_start_mono_us(const struct ww_proc *p)
{
    return start_of(p, CLOCK_MONOTONIC);
}

int64_t ww_proc_start_wall_us(const struct ww_proc *p)
{
    return start_of(p, CLOCK_REALTIME);
}

/* "0.20 0.18 0.12 1/80 11206" */
bool ww_proc_parse_loadavg(ww_str text, uint64_t *out_last_pid)
{
    ww_str rest = ww_str_ends(text, WW_STR("\n")) ? ww_str_upto(text, text.len - 1) : text;
    ww_str piece = { 0 };
    int n = 0;

    while (ww_str_cut(&rest, ' ', &piece))
        n++;
    return n == 5 && ww_str_u64(piece, out_last_pid);
}

uint64_t ww_proc_last_pid(int fd)
{
    char text[128];
    uint64_t pid = 0;
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);

    if (n <= 0 || !ww_proc_parse_loadavg(ww_str_n(text, (size_t)n), &pid))
        return 0;
    return pid;
}
