/* Preloaded into a server: tells the proxy which connection this process has just accepted. */
#include <whichworker/shim.h>

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * A guest in somebody else's process. It keeps no descriptor: one that is kept can be closed by
 * a daemon that tidies up, and its number be given to a database connection. It holds no lock,
 * allocates nothing, and calls the kernel by number, since libc's functions are cancellation
 * points: a thread that is cancelled between accept and its return would lose the connection.
 */
#define EXPORT __attribute__((visibility("default")))

#define NAME_HEAD offsetof(struct sockaddr_un, sun_path)

typedef int accept_fn(int fd, struct sockaddr *addr, socklen_t *len);
typedef int accept4_fn(int fd, struct sockaddr *addr, socklen_t *len, int flags);

/* Under names of our own: libc's declarations differ in the type of addr. */
EXPORT int ww_shim_accept(int fd, struct sockaddr *addr, socklen_t *len) __asm__("accept");
EXPORT int ww_shim_accept4(int fd, struct sockaddr *addr, socklen_t *len,
                           int flags) __asm__("accept4");

static _Atomic(accept_fn *) real_accept;
static _Atomic(accept4_fn *) real_accept4;

/* Written once, before the server's own code runs. */
static struct sockaddr_un receiver;
static socklen_t receiver_len; /* 0: nobody listens */

static accept_fn *find_accept(void)
{
    accept_fn *fn = atomic_load_explicit(&real_accept, memory_order_relaxed);

    if (fn == NULL) {
        fn = (accept_fn *)(uintptr_t)dlsym(RTLD_NEXT, "accept");
        atomic_store_explicit(&real_accept, fn, memory_order_relaxed);
    }
    return fn;
}

static accept4_fn *find_accept4(void)
{
    accept4_fn *fn = atomic_load_explicit(&real_accept4, memory_order_relaxed);

    if (fn == NULL) {
        fn = (accept4_fn *)(uintptr_t)dlsym(RTLD_NEXT, "accept4");
        atomic_store_explicit(&real_accept4, fn, memory_order_relaxed);
    }
    return fn;
}

__attribute__((constructor)) static void begin(void)
{
    const char *token = getenv(WW_SHIM_ENV);
    size_t at = 1;

    (void)find_accept();
    (void)find_accept4();
    if (token == NULL || strnlen(token, WW_SHIM_TOKEN + 1) != WW_SHIM_TOKEN)
        return;
    receiver.sun_family = AF_UNIX;
    memcpy(receiver.sun_path + at, WW_SHIM_PREFIX, sizeof(WW_SHIM_PREFIX) - 1);
    at += sizeof(WW_SHIM_PREFIX) - 1;
    memcpy(receiver.sun_path + at, token, WW_SHIM_TOKEN);
    at += WW_SHIM_TOKEN;
    receiver.sun_path[at++] = '-';
    receiver.sun_path[at++] = '0';
    receiver_len = (socklen_t)(NAME_HEAD + at);
}

static void send_report(const struct ww_shim_report *r)
{
    struct sockaddr_un to = receiver;
    char *digit = (char *)&to + receiver_len - 1;
    long fd = syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    for (int i = 0; i < WW_SHIM_SOCKETS; i++) {
        *digit = "0123456789abcdef"[i];
        if (syscall(SYS_sendto, fd, r, sizeof(*r), MSG_DONTWAIT | MSG_NOSIGNAL, &to,
                    receiver_len) >= 0 ||
            errno != EAGAIN)
            break;
    }
    syscall(SYS_close, fd);
}

/* Is it one of the proxy's own, by the beginning of its name? */
static int is_named(const struct sockaddr_un *peer, socklen_t len)
{
    size_t prefix = 1 + sizeof(WW_SHIM_PREFIX) - 1 + WW_SHIM_SHORT;

    return len > NAME_HEAD + prefix + 1 && len <= WW_SHIM_ADDRESS &&
           memcmp(peer->sun_path, receiver.sun_path, prefix) == 0 &&
           peer->sun_path[prefix] == '/';
}

/* Tells who connected; returns the length of the address that the server may see. */
static socklen_t announce(int fd, const struct sockaddr_storage *peer, socklen_t len)
{
    struct ww_shim_report r = { .magic = WW_SHIM_MAGIC, .fd = fd };
    struct sockaddr_storage local;
    socklen_t local_len = sizeof(local);
    struct timespec now;

    if (peer->ss_family == AF_UNIX) {
        if (!is_named((const struct sockaddr_un *)peer, len))
            return len;
    } else if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6) {
        if (len > WW_SHIM_ADDRESS || syscall(SYS_getsockname, fd, &local, &local_len) != 0 ||
            local_len > WW_SHIM_ADDRESS)
            return len;
        memcpy(r.local, &local, local_len);
    } else {
        return len;
    }
    memcpy(r.peer, peer, len);
    clock_gettime(CLOCK_MONOTONIC, &now);
    r.accepted_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    send_report(&r);
    return peer->ss_family == AF_UNIX ? (socklen_t)sizeof(sa_family_t) : len;
}

/* A call of which nothing can be told, or that is wrong: it is libc's as it stands. */
static int is_plain(const struct sockaddr *addr, const socklen_t *len)
{
    return receiver_len == 0 || (addr != NULL && (len == NULL || (int)*len < 0));
}

static void finish(int conn, const struct sockaddr_storage *peer, socklen_t got,
                   struct sockaddr *addr, socklen_t *len)
{
    int saved = errno;

    if (got > sizeof(*peer))
        got = sizeof(*peer);
    got = announce(conn, peer, got);
    if (addr != NULL) {
        memcpy(addr, peer, *len < got ? *len : got);
        *len = got;
    }
    errno = saved;
}

int ww_shim_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_storage peer;
    socklen_t got = sizeof(peer);
    accept_fn *real = find_accept();

    if (real == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (is_plain(addr, len))
        return real(fd, addr, len);

    int conn = real(fd, (struct sockaddr *)&peer, &got);

    if (conn >= 0)
        finish(conn, &peer, got, addr, len);
    return conn;
}

int ww_shim_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct sockaddr_storage peer;
    socklen_t got = sizeof(peer);
    accept4_fn *real = find_accept4();

    if (real == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (is_plain(addr, len))
        return real(fd, addr, len, flags);

    int conn = real(fd, (struct sockaddr *)&peer, &got, flags);

    if (conn >= 0)
        finish(conn, &peer, got, addr, len);
    return conn;
}
