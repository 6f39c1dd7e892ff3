/* Judges what was examined and touched: does attribution work here, and if not, what helps? */
#include "doctor.h"

#include "command.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_MAX 2048
#define COMMAND_MAX  16384
#define PASSWD_ROOM  4096

enum ailment {
    FINE,
    NOTHING_LISTENS, /* here; and nothing answered either */
    UNREACHABLE,     /* connecting fails for another reason */
    NOT_STARTED,     /* an activator holds the socket for a service that does not run yet */
    UNTRIED,         /* only a connection could show whether it is handed over */
    NOT_ALLOWED,     /* we may not connect */
    NO_NETLINK,
    ELSEWHERE, /* it answers, and nothing listens in our network namespace */
    OTHER_PIDS,
    VEILED,
    HIDDEN,
    SOME_HIDDEN,
    ROUTER,
    HANDOVER,
    SHARED
};

void doctor_user(uint32_t uid, char out[DOCTOR_USER])
{
    char room[PASSWD_ROOM];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL &&
        strlen(found->pw_name) < DOCTOR_USER)
        snprintf(out, DOCTOR_USER, "%s", found->pw_name);
    else
        snprintf(out, DOCTOR_USER, "#%u", uid); /* as sudo -u wants a number */
}

/* ---- what it suffers from */

static enum ailment of_obstacle(enum ww_obstacle why)
{
    switch (why) {
    case WW_OBSTACLE_UNREADABLE:
        return SOME_HIDDEN;
    case WW_OBSTACLE_NO_HOLDER:
        return OTHER_PIDS;
    case WW_OBSTACLE_SHARED:
        return SHARED;
    case WW_OBSTACLE_HANDOVER:
        return HANDOVER;
    case WW_OBSTACLE_ROUTER:
        return ROUTER;
    case WW_OBSTACLE_NETLINK:
        return NO_NETLINK;
    case WW_OBSTACLE_NONE:
    case WW_OBSTACLE_CLOSED: /* a server may close at once; a request is held */
    case WW_OBSTACLE_BUSY:   /* and waits longer than a touch does */
    case WW_OBSTACLES:
        break;
    }
    return FINE;
}

static enum ailment of_touches(const struct touch *t)
{
    for (size_t i = 0; i < t->n; i++) {
        enum ww_owner owner = t->one[i].owner;
        enum ailment a = owner == WW_OWNER_KNOWN || owner == WW_OWNER_QUEUED
                             ? FINE
                             : of_obstacle(t->one[i].why);

        if (a != FINE)
            return a;
    }
    return FINE;
}

static size_t count_role(const struct ww_exam *e, enum ww_exam_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < e->processes; i++)
        n += e->process[i].role == role;
    return n;
}

static bool has_unseen_listener(const struct ww_exam *e)
{
    for (size_t i = 0; i < e->listeners; i++) {
        if (e->listener[i].holders == 0)
            return true;
    }
    return false;
}

/* Nobody of those who hold the listener is in sight. */
static enum ailment without_holder(const struct ww_exam *e, const struct touch *t)
{
    if (count_role(e, WW_EXAM_ACTIVATOR) > 0)
        return NOT_STARTED;
    if (t->peer_known && t->peer_pid == 0)
        return OTHER_PIDS;
    if (e->hidden.processes > 0)
        return HIDDEN;
    return e->veiled ? VEILED : OTHER_PIDS;
}

static enum ailment without_listener(const struct ww_exam *e, const struct touch *t)
{
    if (t->error == ECONNREFUSED || t->error == ENOENT)
        return NOTHING_LISTENS;
    if (t->tried && t->error != 0)
        return t->error == EACCES ? NOT_ALLOWED : UNREACHABLE;
    if (e->diag_error != 0)
        return NO_NETLINK;
    return t->tried ? ELSEWHERE : NOTHING_LISTENS;
}

static enum ailment find_ailment(const struct ww_exam *e, const struct touch *t,
                                 const struct doctor *d)
{
    if (e->listeners == 0 || e->diag_error != 0)
        return without_listener(e, t);
    if (t->error == EACCES || t->error == EPERM)
        return NOT_ALLOWED;
    /* A full queue is no obstacle: the workers are there, and busy. */
    if (t->error != 0 && t->error != EAGAIN && t->error != ETIMEDOUT)
        return UNREACHABLE;
    if (count_role(e, WW_EXAM_ROUTER) > 0)
        return ROUTER;

    bool primary = count_role(e, WW_EXAM_PRIMARY) > 0;

    if (d->serving == 0 && !primary)
        return without_holder(e, t);
    if (d->readable == 0 && !primary)
        return HIDDEN;
    if (d->readable < d->serving || has_unseen_listener(e))
        return SOME_HIDDEN;
    if (primary && t->n == 0)
        return UNTRIED;
    return of_touches(t);
}

static int status_for(enum ailment a)
{
    switch (a) {
    case FINE:
        return EXIT_PASS;
    case NOTHING_LISTENS:
    case UNREACHABLE:
    case NOT_STARTED:
    case UNTRIED:
        return EXIT_INCONCLUSIVE;
    case NOT_ALLOWED:
    case NO_NETLINK:
    case ELSEWHERE:
    case OTHER_PIDS:
    case VEILED:
    case HIDDEN:
    case SOME_HIDDEN:
    case ROUTER:
    case HANDOVER:
    case SHARED:
        break;
    }
    return EXIT_FINDINGS;
}

/* ---- remedies */

static struct doctor_remedy *add_remedy(struct doctor_source *s, const char *text)
{
    struct doctor_remedy *r = &s->remedy[s->remedies++];

    ww_buf_init(&r->text, SENTENCE_MAX);
    ww_buf_init(&r->command, COMMAND_MAX);
    ww_buf_add_c(&r->text, text);
    return r;
}

static bool is_plain(ww_str s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_@%+=:,./-";

    for (size_t i = 0; i < s.len; i++) {
        if (memchr(plain, s.ptr[i], sizeof(plain) - 1) == NULL)
            return false;
    }
    return s.len > 0;
}

/* For a POSIX shell. */
static void add_quoted(struct ww_buf *b, ww_str s)
{
    if (is_plain(s)) {
        ww_buf_add(b, s);
        return;
    }
    ww_buf_add_char(b, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            ww_buf_add_c(b, "'\\''");
        else
            ww_buf_add_char(b, s.ptr[i]);
    }
    ww_buf_add_char(b, '\'');
}

static void add_program(struct ww_buf *b, const struct ww_exam *e)
{
    ww_str path = ww_str_c(e->program);

    add_quoted(b, path.len == 0 ? WW_STR("whichworker") : path);
}

static void add_proxy_as(struct doctor_source *s, const struct doctor_input *in, uint32_t uid)
{
    char user[DOCTOR_USER];
    struct doctor_remedy *r = add_remedy(s, "");

    doctor_user(uid, user);
    ww_buf_printf(&r->text, "run it as user %s", user);
    ww_buf_add_c(&r->command, "sudo ");
    if (uid != 0) {
        ww_buf_add_c(&r->command, "-u ");
        add_quoted(&r->command, ww_str_c(user));
        ww_buf_add_char(&r->command, ' ');
    }
    add_program(&r->command, in->exam);
    ww_buf_add_c(&r->command, " proxy --upstream ");
    add_quoted(&r->command, in->upstream);
}

/* The one user, other than us and root, who could read all that is hidden; false if there is
 * none, or it cannot be told. */
static bool common_user(const struct ww_exam *e, uint32_t *out_uid)
{
    bool any = false;
    uint32_t uid = 0;

    for (size_t i = 0; i < e->processes; i++) {
        const struct ww_exam_process *p = &e->process[i];

        if (!ww_exam_serves(p) || p->fd_error == 0)
            continue;
        if (!p->uid_known || p->closed || (any && uid != p->uid))
            return false;
        any = true;
        uid = p->uid;
    }
    for (size_t i = 0; !any && i < e->listeners; i++) {
        if (!e->listener[i].uid_known || (i > 0 && e->listener[i].uid != uid))
            return false;
        uid = e->listener[i].uid;
    }
    *out_uid = uid;
    return uid != 0 && uid != e->uid;
}

static void prescribe_sight(struct doctor_source *s, const struct doctor_input *in)
{
    const struct ww_exam *e = in->exam;
    uint32_t uid = 0;

    if (common_user(e, &uid))
        add_proxy_as(s, in, uid);
    if (e->uid != 0)
        add_proxy_as(s, in, 0);
    if (e->cap_possible) {
        struct doctor_remedy *r =
            add_remedy(s, "give this program the right to look (both capabilities, for "
                          "everybody who may run it)");

        ww_buf_add_c(&r->command, "sudo setcap cap_sys_ptrace,cap_dac_read_search+ep ");
        add_program(&r->command, e);
    } else {
        add_remedy(s, "start this container with --cap-add SYS_PTRACE --cap-add "
                      "DAC_READ_SEARCH: without them setcap has no effect in it");
    }
}

static void prescribe_netlink(struct doctor_source *s, const struct ww_exam *e)
{
    if (e->diag_error == ENOENT) {
        struct doctor_remedy *r = add_remedy(s, "load the kernel's module for it");

        ww_buf_add_c(&r->command, e->upstream.sa.ss_family == AF_UNIX
                                      ? "sudo modprobe unix_diag"
                                      : "sudo modprobe tcp_diag");
        return;
    }
    add_remedy(s, ww_obstacle_remedy(WW_OBSTACLE_NETLINK));
}

static void prescribe(struct doctor_source *s, const struct doctor_input *in, enum ailment a)
{
    switch (a) {
    case FINE:
    case UNREACHABLE:
        return;
    case NOTHING_LISTENS:
        add_remedy(s, "start the backend, and look again");
        return;
    case NOT_STARTED:
        add_remedy(s, "send the service a first request, and look again");
        return;
    case UNTRIED:
        add_remedy(s, "look again without --no-connect");
        return;
    case NO_NETLINK:
        prescribe_netlink(s, in->exam);
        return;
    case ELSEWHERE:
        add_remedy(s,
                   "run whichworker where the workers run: on their host, in their container");
        return;
    case OTHER_PIDS:
        add_remedy(s, "run whichworker in the workers' container, or in one that shares its "
                      "processes (--pid container:NAME, or --pid host)");
        return;
    case NOT_ALLOWED:
        if (in->exam->uid != 0)
            add_proxy_as(s, in, 0);
        return;
    case VEILED:
    case HIDDEN:
    case SOME_HIDDEN:
        prescribe_sight(s, in);
        return;
    case ROUTER:
        add_remedy(s, "point --upstream at the workers' own socket (uWSGI: http-socket in "
                      "place of http; nginx and HAProxy: what they forward to)");
        return;
    case HANDOVER:
        add_remedy(s, ww_obstacle_remedy(WW_OBSTACLE_HANDOVER));
        return;
    case SHARED:
        add_remedy(s, ww_obstacle_remedy(WW_OBSTACLE_SHARED));
        return;
    }
}

/* ---- reasons */

static void explain_capabilities(struct ww_buf *b, const struct ww_exam *e)
{
    if (e->cap_ptrace != e->cap_search)
        ww_buf_printf(b, "; of the two capabilities that it takes this program has only %s",
                      e->cap_ptrace ? "CAP_SYS_PTRACE" : "CAP_DAC_READ_SEARCH");
}

static void explain_hidden(struct ww_buf *b, const struct ww_exam *e, const struct doctor *d)
{
    char me[DOCTOR_USER];
    char owner[DOCTOR_USER];

    doctor_user(e->uid, me);
    if (d->serving > 1 && d->readable == 0)
        ww_buf_printf(b,
                      "user %s may not read the descriptors of any of the %zu processes that "
                      "accept",
                      me, d->serving);
    else if (d->serving > d->readable)
        ww_buf_printf(b,
                      "user %s may not read the descriptors of %zu of the %zu processes that "
                      "accept",
                      me, d->serving - d->readable, d->serving);
    else if (d->serving > 0)
        ww_buf_printf(b, "more processes listen here than those that user %s may read", me);
    else
        ww_buf_printf(
            b, "none of the processes that user %s may read holds the listening socket", me);
    if (e->listener[0].uid_known) {
        doctor_user(e->listener[0].uid, owner);
        ww_buf_printf(b, "; the socket was made by user %s", owner);
    }
    for (size_t i = 0; i < e->processes; i++) {
        if (!e->process[i].closed)
            continue;
        ww_buf_add_c(b, "; the workers changed their user without an exec, and then not even "
                        "that user may read them");
        break;
    }
    explain_capabilities(b, e);
}

static void explain_fine(struct ww_buf *b, const struct ww_exam *e, const struct doctor *d)
{
    if (count_role(e, WW_EXAM_PRIMARY) > 0)
        ww_buf_printf(b,
                      "the primary hands each connection to a worker, and where it went can "
                      "be seen (%zu workers)",
                      d->serving);
    else if (d->serving == 1)
        ww_buf_add_c(b, "the one process that accepts can be read; with it alone there is "
                        "nothing to be told apart");
    else
        ww_buf_printf(b, "all %zu workers can be read", d->serving);
}

static const char *errno_words(int error)
{
    const char *words = strerrordesc_np(error);

    return words == NULL ? "an unknown error" : words;
}

static void explain(struct ww_buf *b, const struct doctor_input *in, const struct doctor *d,
                    enum ailment a)
{
    const struct ww_exam *e = in->exam;

    switch (a) {
    case FINE:
        explain_fine(b, e, d);
        return;
    case NOTHING_LISTENS:
        ww_buf_add_c(b, "nothing listens there");
        return;
    case UNREACHABLE:
    case NOT_ALLOWED:
        ww_buf_printf(b, "connecting failed: %s", errno_words(in->touch->error));
        return;
    case NOT_STARTED:
        ww_buf_add_c(b, "systemd holds the socket, and the service has not been started yet");
        return;
    case UNTRIED:
        ww_buf_add_c(b, "a process that accepts can hand connections to its children; only a "
                        "connection shows whether it does");
        return;
    case NO_NETLINK:
        ww_buf_printf(b, "the kernel does not tell about sockets here (sock_diag: %s)",
                      e->diag_error == 0 ? "no answer" : errno_words(e->diag_error));
        return;
    case ELSEWHERE:
        ww_buf_add_c(b, "it can be reached, but nothing listens there in this network "
                        "namespace: it is on another host or in a container");
        return;
    case OTHER_PIDS:
        ww_buf_add_c(b, "the socket is here, but no process that can be seen here holds it: "
                        "the workers are in another PID namespace (a container)");
        return;
    case VEILED:
        ww_buf_add_c(b, "/proc does not show other users' processes here (it is mounted with "
                        "hidepid)");
        return;
    case HIDDEN:
    case SOME_HIDDEN:
        explain_hidden(b, e, d);
        return;
    case ROUTER:
        ww_buf_add_c(b, "connections end at a router that stands before the workers, and which "
                        "of them it asks is not to be seen");
        return;
    case HANDOVER:
        ww_buf_add_c(b, ww_obstacle_sentence(WW_OBSTACLE_HANDOVER));
        return;
    case SHARED:
        ww_buf_add_c(b, ww_obstacle_sentence(WW_OBSTACLE_SHARED));
        return;
    }
}

/* ---- the other sources */

static void judge_preload(struct doctor_source *s, const struct doctor_input *in)
{
    s->works = DOCTOR_NO;
    if (!in->has_run) {
        ww_buf_add_c(&s->why, "this version of the program cannot start a backend");
        return;
    }
    ww_buf_add_c(&s->why, "it takes a backend that whichworker itself has started, and that "
                          "accepts through libc");

    struct doctor_remedy *r =
        add_remedy(s, "start the backend with the command that starts it now");

    add_program(&r->command, in->exam);
    ww_buf_add_c(&r->command, " run -- COMMAND");
}

static void judge_header(struct doctor_source *s, const struct doctor_input *in)
{
    s->works = in->has_header ? DOCTOR_NOT_KNOWN : DOCTOR_NO;
    if (!in->has_header) {
        ww_buf_add_c(&s->why, "this version of the program does not ask the workers");
        return;
    }
    ww_buf_add_c(&s->why, "only a response shows whether the workers say who they are; no "
                          "request was sent");

    struct doctor_remedy *r =
        add_remedy(s, "let each worker send its PID in a response field (examples/ has a "
                      "configuration for gunicorn, and middleware)");

    add_program(&r->command, in->exam);
    ww_buf_add_c(&r->command, " proxy --worker-header X-Worker-PID --upstream ");
    add_quoted(&r->command, in->upstream);
}

void doctor_judge(const struct doctor_input *in, struct doctor *out)
{
    static const char *const names[DOCTOR_SOURCES] = { "kernel", "preload", "header" };
    struct doctor_source *kernel = &out->source[DOCTOR_KERNEL];

    *out = (struct doctor){ 0 };
    for (size_t i = 0; i < DOCTOR_SOURCES; i++) {
        out->source[i].name = names[i];
        ww_buf_init(&out->source[i].why, SENTENCE_MAX);
    }
    for (size_t i = 0; i < in->exam->processes; i++) {
        const struct ww_exam_process *p = &in->exam->process[i];

        out->serving += ww_exam_serves(p);
        out->readable += ww_exam_serves(p) && p->fd_error == 0;
    }

    enum ailment a = find_ailment(in->exam, in->touch, out);

    out->status = status_for(a);
    kernel->works = out->status == EXIT_PASS           ? DOCTOR_YES
                    : out->status == EXIT_INCONCLUSIVE ? DOCTOR_NOT_KNOWN
                    : a == SOME_HIDDEN                 ? DOCTOR_PARTLY
                                                       : DOCTOR_NO;
    explain(&kernel->why, in, out, a);
    prescribe(kernel, in, a);
    judge_preload(&out->source[DOCTOR_PRELOAD], in);
    judge_header(&out->source[DOCTOR_HEADER], in);
}

void doctor_release(struct doctor *d)
{
    for (size_t i = 0; i < DOCTOR_SOURCES; i++) {
        struct doctor_source *s = &d->source[i];

        ww_buf_release(&s->why);
        for (size_t r = 0; r < s->remedies; r++) {
            ww_buf_release(&s->remedy[r].text);
            ww_buf_release(&s->remedy[r].command);
        }
        s->remedies = 0;
    }
}

const char *doctor_verdict(const struct doctor *d)
{
    switch (d->source[DOCTOR_KERNEL].works) {
    case DOCTOR_YES:
        return "works";
    case DOCTOR_PARTLY:
        return "partly";
    case DOCTOR_NO:
        return "fails";
    case DOCTOR_NOT_KNOWN:
        break;
    }
    return "unknown";
}
