/* attrib: what the kernel says about sockets, asked over NETLINK_SOCK_DIAG. */
#ifndef WW_ATTRIB_SOCKDIAG_H
#define WW_ATTRIB_SOCKDIAG_H

#include <whichworker/addr.h>
#include <whichworker/err.h>

/* Socket inodes, sorted once complete. Owns ino. */
struct ww_inodes {
    uint64_t *ino;
    size_t len;
    size_t cap;
};

void ww_inodes_release(struct ww_inodes *s); /* also of a zeroed one */
void ww_inodes_clear(struct ww_inodes *s);
void ww_inodes_add(struct ww_inodes *s, uint64_t inode); /* over WW_INODES_MAX: left out */
void ww_inodes_sort(struct ww_inodes *s);
bool ww_inodes_has(const struct ww_inodes *s, uint64_t inode); /* needs it sorted */

#define WW_INODES_MAX 16384

/* What became of a connection, seen from the server's end. */
enum ww_diag {
    WW_DIAG_ACCEPTED, /* a process has it: the inode is known */
    WW_DIAG_QUEUED,   /* nobody has accepted it yet */
    WW_DIAG_GONE,     /* there is no such connection (any more) */
    WW_DIAG_LOST,     /* no answer, or one that cannot be read */
    WW_DIAG_STALE /* the answer to another question: read on. Only from the functions that read
                   */
};

struct ww_sockdiag {
    int fd;
    uint32_t seq;
};

int ww_sockdiag_open(struct ww_sockdiag *d, struct ww_err *err);
void ww_sockdiag_close(struct ww_sockdiag *d);

/* One exact query each; nothing waits: the kernel answers a query before send returns. */
enum ww_diag ww_sockdiag_tcp(struct ww_sockdiag *d, const struct ww_addr *server,
                             const struct ww_addr *client, uint64_t *out_inode);
enum ww_diag ww_sockdiag_unix(struct ww_sockdiag *d, uint64_t our_inode, uint64_t *out_inode);

/* All listening sockets of this network namespace (stream sockets), and those among them that a
 * connect to `upstream` may reach. False when the kernel's answer was lost on the way. */
WW_MUST bool ww_sockdiag_listeners(struct ww_sockdiag *d, const struct ww_addr *upstream,
                                   struct ww_inodes *mine, struct ww_inodes *all);

/* Calls back with the kernel's message (a struct nlmsghdr) about each listening socket that a
 * connect to `upstream` may reach. 0, or the errno with which the kernel, or a filter before
 * it, refused; ENOENT: it cannot tell of this family. */
typedef void ww_listener_fn(void *ctx, const void *message);
int ww_sockdiag_each_listener(struct ww_sockdiag *d, const struct ww_addr *upstream,
                              ww_listener_fn *fn, void *ctx);

/* An attribute of a message behind its fixed part; NULL if it is not there with that length. */
struct nlmsghdr;
const void *ww_sockdiag_attribute(const struct nlmsghdr *h, size_t fixed, uint16_t type,
                                  size_t want);

/* Reading answers: bytes in, meaning out. `bytes` is aligned as the kernel writes it. */
enum ww_diag ww_sockdiag_read_tcp(const void *bytes, size_t len, uint32_t seq,
                                  uint64_t *out_inode);
enum ww_diag ww_sockdiag_read_unix(const void *bytes, size_t len, uint32_t seq,
                                   uint64_t *out_inode);

/* Where a Unix listener's file is, so that another spelling of its path is no obstacle. */
struct ww_unix_place {
    bool known;
    uint32_t ino;
    uint32_t dev; /* as the kernel packs it inside */
};

/* One datagram of a dump. True: there is more to come; *out_bad tells a broken answer. */
bool ww_sockdiag_read_listeners(const void *bytes, size_t len, uint32_t seq,
                                const struct ww_addr *upstream,
                                const struct ww_unix_place *place, struct ww_inodes *mine,
                                struct ww_inodes *all, bool *out_bad);

#endif
