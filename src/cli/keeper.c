/* Starts a command, passes signals on, reaps, and leaves nothing behind. */
#include "keeper.h"

#include <whichworker/arena.h>
#include <whichworker/attrib.h>
#include <whichworker/buf.h>
#include <whichworker/shim.h>
#include <whichworker/units.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_FD 3 /* the only descriptor that is kept, beside standard input and output */

/* Between SIGTERM and SIGKILL when nobody says how long: we are dead, or the command failed. */
#define GRACE_MS 2000

/* A process that is killed may just have forked another one: it is looked for this often. */
#define KILL_EVERY_MS 20

enum keeper_state {
    KEEPER_RUNNING,
    KEEPER_ENDING, /* SIGTERM has been sent */
    KEEPER_KILLING
};

struct keeper {
    enum keeper_state state;
    int signals;
    pid_t command; /* 0: it has ended */
    bool grouped;  /* it leads a process group */
    int32_t status;
    int64_t kill_at_us;
    sigset_t mask; /* as it was before ours */
    bool owner_gone;
};

static void tell(struct keeper *k, enum keeper_event what, int32_t value)
{
    const struct keeper_message m = { .what = (int32_t)what, .value = value };

    if (!k->owner_gone)
        (void)send(SOCKET_FD, &m, sizeof(m), MSG_NOSIGNAL);
}

static void signal_all(size_t (*who)(const char *, int32_t, int32_t *, size_t), int signum)
{
    int32_t pid[WW_TREE_MAX];
    size_t n = who("/proc", getpid(), pid, WW_TREE_MAX);

    for (size_t i = 0; i < n; i++)
        kill(pid[i], signum);
}

static void pass_on(const struct keeper *k, int signum)
{
    if (k->command != 0)
        kill(k->grouped ? -k->command : k->command, signum);
    else
        signal_all(ww_tree_children, signum);
}

static void end(struct keeper *k, int64_t grace_ms)
{
    int64_t kill_at_us = ww_clock_mono_us() + grace_ms * 1000;

    /* Whoever asks again has less patience, or else waits for what was said before. */
    if (k->state == KEEPER_RUNNING || kill_at_us < k->kill_at_us)
        k->kill_at_us = kill_at_us;
    if (k->state != KEEPER_RUNNING)
        return;
    k->state = KEEPER_ENDING;
    pass_on(k, SIGTERM);
}

static void set_environment(const struct keeper_job *job, const char *url)
{
    const char *others = getenv("LD_PRELOAD");
    char value[8192];

    if (job->told_url) {
        setenv("WHICHWORKER_URL", url, 1);
        setenv("BASE_URL", url, 1);
    }
    if (job->shim == NULL)
        return;
    snprintf(value, sizeof(value), "%s%s%s", job->shim, others == NULL ? "" : ":",
             others == NULL ? "" : others);
    setenv("LD_PRELOAD", value, 1);
    setenv(WW_SHIM_ENV, job->token, 1);
}

/* Every {url} in a word. */
static char *with_url(const char *word, const char *url)
{
    static const char mark[] = "{url}";
    struct ww_buf out;
    const char *at;

    ww_buf_init(&out, SIZE_MAX);
    while ((at = strstr(word, mark)) != NULL) {
        ww_buf_add(&out, ww_str_n(word, (size_t)(at - word)));
        ww_buf_add_c(&out, url);
        word = at + sizeof(mark) - 1;
    }
    ww_buf_add_c(&out, word);
    ww_buf_add_char(&out, '\0');
    return out.ptr;
}

/* Never given back: exec comes next. */
static char *const *arguments(const struct keeper_job *job, const char *url)
{
    size_t n = 0;
    char **argv;

    if (!job->told_url)
        return job->argv;
    while (job->argv[n] != NULL)
        n++;
    argv = ww_xcalloc(n + 1, sizeof(*argv));
    for (size_t i = 0; i < n; i++)
        argv[i] = with_url(job->argv[i], url);
    return argv;
}

static void take_place(const struct keeper_job *job)
{
    switch (job->place) {
    case KEEPER_SESSION:
        setsid();
        break;
    case KEEPER_GROUP:
        setpgid(0, 0);
        break;
    case KEEPER_OURS:
        setpgid(0, job->group);
        break;
    }
}

_Noreturn static void become_command(const struct keeper *k, const struct keeper_job *job,
                                     const char *url, pid_t keeper, int tell_fd)
{
    char *const *argv = arguments(job, url);

    take_place(job);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &k->mask, NULL);
    set_environment(job, url);
    execvp(argv[0], argv);

    int32_t error = errno;

    (void)!write(tell_fd, &error, sizeof(error));
    _exit(127);
}

static int32_t start(struct keeper *k, const struct keeper_job *job, const char *url)
{
    int32_t error = 0;
    int pipe_fd[2];
    pid_t keeper = getpid();

    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return errno;
    k->command = fork();
    if (k->command == 0)
        become_command(k, job, url, keeper, pipe_fd[1]);
    if (k->command < 0)
        error = errno;
    close(pipe_fd[1]);
    if (error == 0 && read(pipe_fd[0], &error, sizeof(error)) <= 0)
        error = 0; /* exec has closed it */
    close(pipe_fd[0]);
    return error;
}

/* A command that ended well and left others behind has made a daemon of itself: they are it. */
static void note_end(struct keeper *k, int status)
{
    k->command = 0;
    k->status = status;
    tell(k, KEEPER_ENDED, status);
    if (k->state == KEEPER_ENDING)
        signal_all(ww_tree_below, SIGTERM);
    else if (status != 0)
        end(k, GRACE_MS);
}

static void reap(struct keeper *k)
{
    int status = 0;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == k->command)
            note_end(k, status);
        else if (k->command == 0)
            k->status = status;
    }
    if (pid < 0 && errno == ECHILD) {
        tell(k, KEEPER_ALONE, k->status);
        _exit(0);
    }
}

static void obey(struct keeper *k)
{
    struct keeper_message m;
    ssize_t n = recv(SOCKET_FD, &m, sizeof(m), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof(m)) {
        k->owner_gone = true;
        end(k, GRACE_MS);
        return;
    }
    switch ((enum keeper_order)m.what) {
    case KEEPER_GO:
        break;
    case KEEPER_SIGNAL:
        pass_on(k, m.value);
        break;
    case KEEPER_STOP:
        end(k, m.value);
        break;
    }
}

static int patience_ms(const struct keeper *k)
{
    if (k->state == KEEPER_RUNNING)
        return -1;
    if (k->state == KEEPER_KILLING)
        return KILL_EVERY_MS;

    int64_t left_ms = (k->kill_at_us - ww_clock_mono_us()) / 1000;

    return left_ms < 0 ? 0 : (int)left_ms + 1;
}

static void turn(struct keeper *k)
{
    struct pollfd p[2] = {
        { .fd = k->signals, .events = POLLIN },
        { .fd = k->owner_gone ? -1 : SOCKET_FD, .events = POLLIN },
    };
    struct signalfd_siginfo ignored;

    (void)poll(p, 2, patience_ms(k));
    while (read(k->signals, &ignored, sizeof(ignored)) > 0)
        ;
    reap(k);
    if (p[1].revents != 0)
        obey(k);
    if (k->state == KEEPER_ENDING && ww_clock_mono_us() >= k->kill_at_us)
        k->state = KEEPER_KILLING;
    if (k->state == KEEPER_KILLING)
        signal_all(ww_tree_below, SIGKILL);
}

/* The order to start, and the URL that came with it. */
static void await_go(struct keeper *k, char url[KEEPER_URL_MAX])
{
    char bytes[sizeof(struct keeper_message) + KEEPER_URL_MAX] = { 0 };
    struct keeper_message m;
    ssize_t n;

    do
        n = recv(SOCKET_FD, bytes, sizeof(bytes) - 1, 0);
    while (n < 0 && errno == EINTR);
    memcpy(&m, bytes, sizeof(m));
    if (n >= (ssize_t)sizeof(m) && m.what == KEEPER_GO) {
        memcpy(url, bytes + sizeof(m), KEEPER_URL_MAX);
        return;
    }
    tell(k, KEEPER_ALONE, 0);
    _exit(0);
}

static void take_standard_files(const struct keeper_job *job)
{
    int nothing = job->aside ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    if (job->aside) {
        dup2(job->output_fd, STDOUT_FILENO);
        dup2(job->output_fd, STDERR_FILENO);
    }
}

void keeper_run(int fd, const struct keeper_job *job)
{
    struct keeper k = { .state = KEEPER_RUNNING, .grouped = job->place == KEEPER_GROUP };
    char url[KEEPER_URL_MAX];
    sigset_t all;

    /* Out of the terminal's reach: Ctrl-C is for the proxy, which lets requests end first. */
    if (job->place == KEEPER_SESSION)
        setsid();
    else
        setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "ww-keeper");
    take_standard_files(job);
    dup3(fd, SOCKET_FD, O_CLOEXEC);
    if (fd == SOCKET_FD)
        fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
    close_range(SOCKET_FD + 1, ~0u, 0);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &k.mask);
    sigemptyset(&all);
    sigaddset(&all, SIGCHLD);
    k.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    await_go(&k, url);

    int32_t error = start(&k, job, url);

    tell(&k, KEEPER_STARTED, error);
    if (error != 0 || k.signals < 0)
        _exit(1);
    for (;;)
        turn(&k);
}
