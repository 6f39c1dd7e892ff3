/* How long a look takes: four pre-fork workers that accept by themselves, over TCP and Unix. */
#include <whichworker/attrib.h>
#include <whichworker/units.h>

#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS     4
#define CONNECTIONS 2000
#define LOOKS       20000

static void stop_with(const char *what)
{
    perror(what);
    exit(1);
}

/* Accepts, says so with a byte, and waits for the other side to close. */
static void work(int listener, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    for (;;) {
        char byte = 'a';
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            _exit(1);
        while (recv(fd, &byte, 1, 0) == 1) {
        }
        close(fd);
    }
}

static pid_t serve(int listener)
{
    pid_t self = getpid();
    pid_t master = fork();

    if (master != 0)
        return master;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self)
        _exit(0);
    self = getpid();
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0)
            work(listener, self);
    }
    for (;;)
        pause();
}

static struct ww_flow dial(const struct ww_addr *up)
{
    struct ww_flow f = { .peer = *up, .opened_us = ww_clock_mono_us() };

    f.fd = socket(up->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f.fd < 0 || connect(f.fd, (const struct sockaddr *)&up->sa, up->len) != 0)
        stop_with("connect");
    f.local.len = sizeof(f.local.sa);
    if (getsockname(f.fd, (struct sockaddr *)&f.local.sa, &f.local.len) != 0)
        stop_with("getsockname");
    return f;
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One look at each of many connections, all of them accepted; then the confirmation of each. */
static void measure_known(struct ww_attrib *a, const struct ww_addr *up, const char *name)
{
    double look_ns = 0;
    double confirm_ns = 0;
    int known = 0;

    for (int i = 0; i < CONNECTIONS; i++) {
        struct ww_flow f = dial(up);
        struct ww_worker w = { 0 };
        char byte;

        if (recv(f.fd, &byte, 1, 0) != 1)
            stop_with("recv");

        double at = now_ns();
        enum ww_owner owner = ww_attrib_look(a, &f, &w);
        double looked = now_ns();

        if (i > 0) /* the first look scans /proc */
            look_ns += looked - at;
        if (owner == WW_OWNER_KNOWN && ww_attrib_confirm(a, &f, &w) == WW_OWNER_KNOWN)
            known++;
        if (i > 0)
            confirm_ns += now_ns() - looked;
        close(f.fd);
    }
    printf("%-5s known    %6.0f ns a look   %6.0f ns a confirmation   (%d of %d known)\n", name,
           look_ns / (CONNECTIONS - 1), confirm_ns / (CONNECTIONS - 1), known, CONNECTIONS);
    if (known != CONNECTIONS)
        exit(1);
}

/* Looks at a connection that nobody accepts: all workers have one already. */
static void measure_queued(struct ww_attrib *a, const struct ww_addr *up, const char *name)
{
    struct ww_flow busy[WORKERS];
    char byte;

    for (int i = 0; i < WORKERS; i++) {
        busy[i] = dial(up);
        if (recv(busy[i].fd, &byte, 1, 0) != 1)
            stop_with("recv");
    }

    struct ww_flow f = dial(up);
    struct ww_worker w = { 0 };
    int queued = 0;
    double at = now_ns();

    for (int i = 0; i < LOOKS; i++)
        queued += ww_attrib_look(a, &f, &w) == WW_OWNER_QUEUED ? 1 : 0;
    printf("%-5s queued   %6.0f ns a look   (%d of %d queued)\n", name, (now_ns() - at) / LOOKS,
           queued, LOOKS);
    close(f.fd);
    for (int i = 0; i < WORKERS; i++)
        close(busy[i].fd);
    if (queued != LOOKS)
        exit(1);
}

static void bench(struct ww_addr *at, const char *name)
{
    struct ww_err err = { 0 };
    int listener = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (const struct sockaddr *)&at->sa, at->len) != 0 ||
        listen(listener, 64) != 0)
        stop_with("listen");

    struct ww_addr up = { .len = sizeof(up.sa) };

    if (getsockname(listener, (struct sockaddr *)&up.sa, &up.len) != 0)
        stop_with("getsockname");

    pid_t master = serve(listener);

    close(listener);

    struct ww_attrib *a = ww_attrib_new(&up, "/proc", &err);

    if (a == NULL) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    measure_known(a, &up, name);
    measure_queued(a, &up, name);
    ww_attrib_free(a);
    kill(master, SIGKILL);
    waitpid(master, NULL, 0);
}

int main(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct ww_addr tcp = { .len = sizeof(in) };
    struct ww_addr local = { .len = sizeof(
                                 sa_family_t) }; /* the kernel chooses an abstract name */

    memcpy(&tcp.sa, &in, sizeof(in));
    memcpy(&local.sa, &un, sizeof(un));
    bench(&tcp, "tcp");
    bench(&local, "unix");
    return 0;
}
