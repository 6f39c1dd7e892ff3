/* The processes below one, and the addresses that they listen on. */
#include "tree.h"

#include "procfs.h"

#include <whichworker/arena.h>
#include <whichworker/attrib.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#define DEPTH_MAX     64
#define LISTENERS_MAX 1024
#define TCP_LISTEN    "0A"
#define ACCEPTS       0x10000 /* __SO_ACCEPTCON */

bool tree_is_below(int root, int32_t pid, int32_t ancestor)
{
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        struct ww_proc p;

        if (!ww_proc_open(root, pid, &p))
            return false;
        ww_proc_close(&p);
        if (p.ppid == ancestor)
            return true;
        if (p.ppid <= 1)
            return false;
        pid = p.ppid;
    }
    return false;
}

struct kinship {
    int32_t pid;
    int32_t ppid;
};

struct census {
    int root;
    struct kinship *all;
    size_t n;
    size_t cap;
};

static bool count_in(void *ctx, int32_t pid)
{
    struct census *c = ctx;
    struct ww_proc p;

    if (!ww_proc_open(c->root, pid, &p))
        return true;
    ww_proc_close(&p);
    c->all = ww_grow(c->all, c->n + 1, &c->cap, sizeof(*c->all));
    c->all[c->n++] = (struct kinship){ pid, p.ppid };
    return true;
}

static bool is_among(const int32_t *pids, size_t n, int32_t pid)
{
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static size_t gather(const char *proc_root, int32_t pid, bool deep, int32_t *out_pids,
                     size_t room)
{
    struct census c = { .root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    size_t n = 0;
    bool more = c.root >= 0;

    if (more)
        ww_proc_each_pid(c.root, count_in, &c);
    while (more) {
        more = false;
        for (size_t i = 0; i < c.n && n < room; i++) {
            const struct kinship *k = &c.all[i];

            if ((k->ppid != pid && (!deep || !is_among(out_pids, n, k->ppid))) ||
                is_among(out_pids, n, k->pid))
                continue;
            out_pids[n++] = k->pid;
            more = true;
        }
    }
    if (c.root >= 0)
        close(c.root);
    free(c.all);
    return n;
}

size_t ww_tree_below(const char *proc_root, int32_t pid, int32_t *out_pids, size_t room)
{
    return gather(proc_root, pid, true, out_pids, room);
}

size_t ww_tree_children(const char *proc_root, int32_t pid, int32_t *out_pids, size_t room)
{
    return gather(proc_root, pid, false, out_pids, room);
}

/* The next word; blanks of any number stand between words. */
static bool word(ww_str *rest, ww_str *out)
{
    do {
        if (!ww_str_cut(rest, ' ', out))
            return false;
    } while (out->len == 0);
    return true;
}

static bool words(ww_str line, ww_str *out, size_t n, ww_str *out_rest)
{
    for (size_t i = 0; i < n; i++)
        if (!word(&line, &out[i]))
            return false;
    *out_rest = line;
    return true;
}

static bool hex32(ww_str s, uint32_t *out)
{
    uint32_t v = 0;

    if (s.len == 0 || s.len > 8)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;

        if (digit < 0)
            return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

/* "0100007F:1F90": 32-bit words as this machine reads them, then the port. A wildcard becomes
 * loopback: that is where to connect to. */
static bool read_place(ww_str text, struct ww_addr *out)
{
    struct ww_addr a = { 0 };
    uint32_t part[4] = { 0 };
    uint32_t port = 0;
    ww_str host;

    if (!ww_str_cut(&text, ':', &host) || !hex32(text, &port) || port > UINT16_MAX)
        return false;
    for (size_t i = 0; i < host.len / 8; i++)
        if (i >= 4 || !hex32(ww_str_n(host.ptr + 8 * i, 8), &part[i]))
            return false;
    if (host.len == 8) {
        struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;

        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        in->sin_addr.s_addr = part[0] == 0 ? htonl(INADDR_LOOPBACK) : part[0];
        a.len = sizeof(*in);
    } else if (host.len == 32) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        memcpy(&in6->sin6_addr, part, sizeof(part));
        if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
            in6->sin6_addr = in6addr_loopback;
        a.len = sizeof(*in6);
    } else {
        return false;
    }
    ww_addr_format(&a);
    *out = a;
    return true;
}

bool tree_read_tcp(ww_str line, uint64_t *out_inode, struct ww_addr *out_addr)
{
    ww_str w[10];
    ww_str rest;

    return words(line, w, 10, &rest) && ww_str_eq(w[3], WW_STR(TCP_LISTEN)) &&
           ww_str_u64(w[9], out_inode) && *out_inode != 0 && read_place(w[1], out_addr);
}

/* The path is the rest of the line; '@' stands for the NUL of an abstract name. */
bool tree_read_unix(ww_str line, uint64_t *out_inode, struct ww_addr *out_addr)
{
    struct ww_addr a = { 0 };
    struct sockaddr_un *un = (struct sockaddr_un *)&a.sa;
    uint32_t flags = 0;
    uint32_t type = 0;
    ww_str w[7];
    ww_str path;

    if (!words(line, w, 7, &path) || !hex32(w[3], &flags) || (flags & ACCEPTS) == 0 ||
        !hex32(w[4], &type) || type != SOCK_STREAM || !ww_str_u64(w[6], out_inode) ||
        path.len == 0 || path.len >= sizeof(un->sun_path))
        return false;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.ptr, path.len);
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
    if (path.ptr[0] == '@')
        un->sun_path[0] = '\0';
    else
        a.len++;
    ww_addr_format(&a);
    *out_addr = a;
    return true;
}

struct listener {
    uint64_t inode;
    struct ww_addr addr;
    unsigned holders;
};

struct listeners {
    struct listener one[LISTENERS_MAX];
    size_t n;
};

typedef bool read_line_fn(ww_str line, uint64_t *out_inode, struct ww_addr *out_addr);

static void read_table(const char *proc_root, const char *name, read_line_fn *read,
                       struct listeners *out)
{
    char path[256];
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    snprintf(path, sizeof(path), "%s/net/%s", proc_root, name);

    FILE *file = fopen(path, "re");

    if (file == NULL)
        return;
    while (out->n < LISTENERS_MAX && (n = getline(&line, &room, file)) > 0) {
        struct listener *l = &out->one[out->n];
        ww_str text = ww_str_n(line, (size_t)n);

        if (line[n - 1] == '\n')
            text.len--;
        *l = (struct listener){ 0 };
        if (read(text, &l->inode, &l->addr))
            out->n++;
    }
    free(line);
    fclose(file);
}

struct holder {
    struct listeners *all;
    bool counted[LISTENERS_MAX]; /* one process may hold a socket twice */
};

static bool count_socket(void *ctx, int fd, uint64_t inode)
{
    struct holder *h = ctx;

    (void)fd;
    for (size_t i = 0; i < h->all->n; i++) {
        if (h->all->one[i].inode != inode || h->counted[i])
            continue;
        h->counted[i] = true;
        h->all->one[i].holders++;
    }
    return true;
}

static void count_holders(const char *proc_root, int32_t ancestor, struct listeners *all)
{
    int32_t pid[WW_TREE_MAX];
    size_t n = ww_tree_below(proc_root, ancestor, pid, WW_TREE_MAX);
    int root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct holder h = { .all = all };
        struct ww_proc p;

        if (!ww_proc_open(root, pid[i], &p))
            continue;
        (void)ww_proc_each_socket(&p, count_socket, &h);
        ww_proc_close(&p);
    }
    close(root);
}

/* Several sockets may share an address (SO_REUSEPORT): it is one place. */
static void merge(struct listeners *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->n; i++) {
        size_t same = 0;

        if (all->one[i].holders == 0)
            continue;
        while (same < kept && strcmp(all->one[same].addr.text, all->one[i].addr.text) != 0)
            same++;
        if (same < kept)
            all->one[same].holders += all->one[i].holders;
        else
            all->one[kept++] = all->one[i];
    }
    all->n = kept;
}

static int compare(const void *a, const void *b)
{
    const struct listener *x = a;
    const struct listener *y = b;
    bool x_unix = x->addr.sa.ss_family == AF_UNIX;
    bool y_unix = y->addr.sa.ss_family == AF_UNIX;

    if (x->holders != y->holders)
        return x->holders > y->holders ? -1 : 1;
    if (x_unix != y_unix)
        return x_unix ? 1 : -1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

size_t ww_tree_listens(const char *proc_root, int32_t pid, struct ww_listening *out,
                       size_t room)
{
    struct listeners *all = ww_xcalloc(1, sizeof(*all));
    size_t n = 0;

    read_table(proc_root, "tcp", tree_read_tcp, all);
    read_table(proc_root, "tcp6", tree_read_tcp, all);
    read_table(proc_root, "unix", tree_read_unix, all);
    count_holders(proc_root, pid, all);
    merge(all);
    if (all->n > 1)
        qsort(all->one, all->n, sizeof(all->one[0]), compare);
    for (; n < all->n && n < room; n++)
        out[n] = (struct ww_listening){ all->one[n].addr, all->one[n].holders };
    free(all);
    return n;
}
