/* Receives what the shim reports, believes who may be believed, and names acceptors by it. */
#include "procfs.h"
#include "reports.h"
#include "tree.h"

#include <whichworker/arena.h>
#include <whichworker/mac.h>
#include <whichworker/units.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

/* Datagrams of one system call, and calls for one socket: a flood must not hold up the loop. */
#define BATCH  16
#define ROUNDS 8

#define GUESTS 512 /* processes whose descent is remembered */

/* A process that is not believed is looked at again after this; its PID may have a new owner.
 */
#define DOUBT_US 1000000

/* Looks at /proc that one drain may spend on processes that nobody knows. */
#define INTRODUCTIONS 32

struct guest {
    int32_t pid;
    bool believed;
    int64_t checked_us;
};

/* Owns all of it but attrib. */
struct ww_preload {
    int fd[WW_SHIM_SOCKETS];
    int root;
    int32_t ancestor;
    unsigned full; /* a socket that has this many datagrams may have turned some away */
    char token[WW_SHIM_TOKEN + 1];
    char client_name[16];
    struct ww_attrib *attrib; /* NULL until attached */
    bool let_go;              /* the last call was a look that asked nobody */
    bool trusted;             /* the shim has proven that it reports, and who answers */
    struct guest guest[GUESTS];
    struct ww_preload_stats stats;
    struct reports reports;
};

static int receive_at(struct ww_preload *p, size_t i, struct ww_err *err)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t head = offsetof(struct sockaddr_un, sun_path);
    int on = 1;
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, WW_SHIM_PREFIX "%s-%zx",
                     p->token, i);

    p->fd[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Before it can be sent to, so that no datagram comes without its sender. */
    if (p->fd[i] < 0 || setsockopt(p->fd[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        bind(p->fd[i], (struct sockaddr *)&un, (socklen_t)(head + 1 + (size_t)n)) != 0)
        return ww_err_errno(err, errno, "cannot receive reports of accepted connections");
    return WW_OK;
}

static unsigned queue_length(int root)
{
    char text[32];
    uint64_t value = 0;
    int fd = openat(root, "sys/net/unix/max_dgram_qlen", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

    if (fd >= 0)
        close(fd);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    return n > 0 && ww_str_u64(ww_str_n(text, (size_t)n), &value) && value > 0 &&
                   value < ROUNDS * BATCH
               ? (unsigned)value
               : 1;
}

struct ww_preload *ww_preload_new(int32_t ancestor, const char *proc_root, struct ww_err *err)
{
    struct ww_preload *p = ww_xcalloc(1, sizeof(*p));
    uint64_t random[2];

    ww_random(random, sizeof(random));
    snprintf(p->token, sizeof(p->token), "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    snprintf(p->client_name, sizeof(p->client_name), WW_SHIM_PREFIX "%.*s/", WW_SHIM_SHORT,
             p->token);
    p->ancestor = ancestor;
    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++)
        p->fd[i] = -1;
    p->root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->full = queue_length(p->root);
    if (p->root < 0) {
        ww_err_errno(err, errno, "cannot read %s", proc_root);
        ww_preload_free(p);
        return NULL;
    }
    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++) {
        if (receive_at(p, i, err) < 0) {
            ww_preload_free(p);
            return NULL;
        }
    }
    return p;
}

void ww_preload_free(struct ww_preload *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++)
        if (p->fd[i] >= 0)
            close(p->fd[i]);
    if (p->root >= 0)
        close(p->root);
    free(p);
}

const char *ww_preload_token(const struct ww_preload *p)
{
    return p->token;
}

const char *ww_preload_client_name(const struct ww_preload *p)
{
    return p->client_name;
}

void ww_preload_attach(struct ww_preload *p, struct ww_attrib *a)
{
    p->attrib = a;
}

int ww_preload_fd(const struct ww_preload *p, size_t i)
{
    return p->fd[i];
}

const struct ww_preload_stats *ww_preload_stats(const struct ww_preload *p)
{
    return &p->stats;
}

/*
 * May the process speak at all? A worker that is known costs nothing. A stranger's claims would
 * only be in the way: the last word is spoken over a claim when it is used.
 */
static bool is_believed(struct ww_preload *p, int32_t pid, int64_t now_us, unsigned *budget)
{
    struct guest *g = &p->guest[(uint32_t)pid % GUESTS];

    if (pid <= 0)
        return false;
    if (g->pid == pid && (g->believed || now_us - g->checked_us < DOUBT_US))
        return g->believed;
    if (*budget == 0)
        return false;
    (*budget)--;
    *g = (struct guest){ .pid = pid,
                         .believed = tree_is_below(p->root, pid, p->ancestor),
                         .checked_us = now_us };
    if (g->believed && p->attrib != NULL)
        ww_attrib_meet(p->attrib, pid);
    return g->believed;
}

static int32_t sender_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        struct ucred cred;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
            c->cmsg_len < CMSG_LEN(sizeof(cred)))
            continue;
        memcpy(&cred, CMSG_DATA(c), sizeof(cred));
        return cred.pid;
    }
    return 0;
}

/* A descriptor that somebody sends along would stay open here. */
static void drop_descriptors(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd;

            memcpy(&fd, (const char *)c + at, sizeof(fd));
            close(fd);
        }
    }
}

static void hear(struct ww_preload *p, struct msghdr *m, size_t len, int64_t now_us,
                 unsigned *budget)
{
    struct ww_shim_report report;
    struct report_key key;
    int32_t pid = sender_of(m);

    drop_descriptors(m);
    if ((m->msg_flags & MSG_TRUNC) != 0 ||
        !report_read(m->msg_iov->iov_base, len, &key, &report) ||
        !is_believed(p, pid, now_us, budget)) {
        p->stats.strange++;
        return;
    }

    const struct acceptor who = {
        .pid = pid,
        .fd = report.fd,
        .accepted_us = report.accepted_us < now_us ? report.accepted_us : now_us,
        .heard_us = now_us,
    };

    reports_put(&p->reports, &key, &who);
    p->stats.reports++;
}

union control {
    size_t aligned; /* as a cmsghdr wants it */
    char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 4)];
};

/* One system call. How many came. */
static unsigned drain_batch(struct ww_preload *p, int fd, unsigned *budget)
{
    struct ww_shim_report room[BATCH];
    union control control[BATCH];
    struct iovec iov[BATCH];
    struct mmsghdr message[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){ .iov_base = &room[i], .iov_len = sizeof(room[i]) };
        message[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = &control[i],
                                                    .msg_controllen = sizeof(control[i]) } };
    }

    int n = recvmmsg(fd, message, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    int64_t now_us = n > 0 ? ww_clock_mono_us() : 0;

    for (int i = 0; i < n; i++)
        hear(p, &message[i].msg_hdr, message[i].msg_len, now_us, budget);
    return n > 0 ? (unsigned)n : 0;
}

static unsigned drain_one(struct ww_preload *p, size_t i, unsigned *budget)
{
    unsigned total = 0;

    for (int round = 0; round < ROUNDS; round++) {
        unsigned n = drain_batch(p, p->fd[i], budget);

        total += n;
        if (n < BATCH)
            break;
    }
    return total;
}

/* Nobody turns to a socket unless the one before it is full. */
void ww_preload_drain(struct ww_preload *p, size_t i)
{
    unsigned budget = INTRODUCTIONS;

    while (i < WW_SHIM_SOCKETS && drain_one(p, i, &budget) >= p->full)
        i++;
}

static void drain_all(struct ww_preload *p)
{
    unsigned budget = INTRODUCTIONS;

    for (size_t i = 0; i < WW_SHIM_SOCKETS; i++)
        drain_one(p, i, &budget);
}

enum ww_owner ww_preload_look(struct ww_preload *p, struct ww_flow *flow,
                              struct ww_worker *out_worker)
{
    p->let_go = p->trusted && flow->state.inode == 0;
    if (p->let_go) {
        flow->state.let_go = true;
        p->stats.let_go++;
        return WW_OWNER_UNKNOWN;
    }

    enum ww_owner owner = ww_attrib_look(p->attrib, flow, out_worker);

    if (owner == WW_OWNER_KNOWN)
        flow->by = WW_BY_KERNEL;
    return owner;
}

enum ww_obstacle ww_preload_why(const struct ww_preload *p)
{
    return p->let_go ? WW_OBSTACLE_NONE : ww_attrib_why(p->attrib);
}

/* What the kernel says now that the answer is here. */
static enum ww_owner ask_kernel(struct ww_preload *p, struct ww_flow *flow,
                                struct ww_worker *worker)
{
    enum ww_owner owner = WW_OWNER_KNOWN;

    if (flow->state.let_go)
        owner = ww_attrib_look(p->attrib, flow, worker);
    if (owner == WW_OWNER_KNOWN || !flow->state.let_go)
        owner = ww_attrib_confirm(p->attrib, flow, worker);
    if (owner == WW_OWNER_KNOWN)
        flow->by = WW_BY_KERNEL;
    return owner;
}

/* The kernel has named *worker, and the shim says that `who` accepted. */
static enum ww_owner compare(struct ww_preload *p, struct ww_flow *flow,
                             const struct acceptor *who, const struct ww_worker *worker)
{
    if (who->pid == worker->id.pid) {
        p->trusted = true;
        flow->by = WW_BY_PRELOAD;
        flow->state.accepted_us = who->accepted_us;
        return WW_OWNER_KNOWN;
    }
    if (ww_attrib_is_parent(p->attrib, worker->id.pid, who->pid)) {
        p->stats.handed_on++;
        return WW_OWNER_KNOWN;
    }
    flow->also_by = WW_BY_PRELOAD;
    flow->also = (struct ww_worker_id){ .pid = who->pid };
    return WW_OWNER_KNOWN;
}

/* Only the shim has spoken, so what it says is doubted as a first look would be. */
static enum ww_owner believe(struct ww_preload *p, struct ww_flow *flow,
                             const struct acceptor *who, struct ww_worker *worker)
{
    enum ww_owner owner = ww_attrib_confirm_acceptor(p->attrib, flow, who, worker);

    p->trusted = owner == WW_OWNER_KNOWN;
    if (p->trusted) {
        flow->by = WW_BY_PRELOAD;
        return owner;
    }
    if (ww_attrib_why(p->attrib) != WW_OBSTACLE_HANDOVER)
        return owner;
    p->stats.handed_on++;
    return ask_kernel(p, flow, worker);
}

/* Where the kernel could not see, as opposed to: saw that nothing may be claimed. */
static bool was_blind(enum ww_obstacle why)
{
    switch (why) {
    case WW_OBSTACLE_NONE:
    case WW_OBSTACLE_CLOSED:
    case WW_OBSTACLE_UNREADABLE:
    case WW_OBSTACLE_NO_HOLDER:
    case WW_OBSTACLE_NETLINK:
    case WW_OBSTACLE_BUSY:
        return true;
    case WW_OBSTACLE_SHARED:
    case WW_OBSTACLE_HANDOVER:
    case WW_OBSTACLE_ROUTER:
    case WW_OBSTACLES:
        break;
    }
    return false;
}

static enum reports_found find_report(struct ww_preload *p, const struct ww_flow *flow,
                                      struct acceptor *out_who)
{
    struct report_key key;

    if (!report_key_of(flow, &key))
        return REPORTS_NONE;

    enum reports_found found = reports_take(&p->reports, &key, flow->opened_us, out_who);

    if (found != REPORTS_NONE)
        return found;
    drain_all(p);
    return reports_take(&p->reports, &key, flow->opened_us, out_who);
}

enum ww_owner ww_preload_confirm(struct ww_preload *p, struct ww_flow *flow,
                                 struct ww_worker *worker)
{
    struct acceptor who;
    enum reports_found found = find_report(p, flow, &who);

    p->let_go = false;
    if (found == REPORTS_ONE && flow->state.let_go)
        return believe(p, flow, &who, worker);
    if (!flow->state.let_go)
        p->stats.looked++;

    enum ww_owner owner = ask_kernel(p, flow, worker);

    if (found != REPORTS_ONE) {
        p->trusted = false;
        return found == REPORTS_CONTESTED ? WW_OWNER_AMBIGUOUS : owner;
    }
    if (owner == WW_OWNER_KNOWN)
        return compare(p, flow, &who, worker);
    return was_blind(ww_attrib_why(p->attrib)) ? believe(p, flow, &who, worker) : owner;
}
