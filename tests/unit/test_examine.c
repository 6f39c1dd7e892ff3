/* An upstream looked at: real sockets, real processes, all of them ours. */
#include "check.h"

#include <whichworker/examine.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CHILDREN 3

/* A process with `workers` children that share its listener; all end when the pipe does. */
struct server {
    pid_t pid;
    int life; /* closing it ends them */
    struct ww_addr at;
};

static int listen_on(struct ww_addr *at, bool reuse)
{
    int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    assert_true(fd >= 0);
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
    assert_int_equal(bind(fd, (struct sockaddr *)&at->sa, at->len), 0);
    assert_int_equal(listen(fd, 7), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at->sa, &at->len), 0);
    ww_addr_format(at);
    return fd;
}

static void live(int life)
{
    char byte;

    (void)!read(life, &byte, 1);
    _exit(0);
}

static struct server serve(struct ww_addr at, int workers, bool reuse)
{
    struct server s = { .at = at };
    int life[2];
    int ready[2];
    char byte;

    assert_int_equal(pipe(life), 0);
    assert_int_equal(pipe(ready), 0);

    int fd = listen_on(&s.at, reuse);

    s.pid = fork();
    assert_true(s.pid >= 0);
    if (s.pid == 0) {
        close(life[1]);
        for (int i = 0; i < workers; i++) {
            if (fork() == 0)
                live(life[0]);
        }
        (void)!write(ready[1], "x", 1);
        live(life[0]);
    }
    close(fd);
    close(life[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    s.life = life[1];
    return s;
}

static void end(struct server *s)
{
    close(s->life);
    waitpid(s->pid, NULL, 0);
}

static struct ww_exam *examine(const struct ww_addr *upstream)
{
    struct ww_examine_config cfg = { .upstream = *upstream, .proc_root = "/proc" };
    struct ww_exam *e = ww_examine(&cfg, NULL);

    assert_non_null(e);
    assert_int_equal(e->diag_error, 0);
    return e;
}

static struct ww_addr address(const char *text)
{
    struct ww_addr a;

    assert_int_equal(ww_addr_parse(ww_str_c(text), "test", &a, NULL), WW_OK);
    return a;
}

static void a_master_and_its_workers_are_told_apart(void **state)
{
    struct server s = serve(address("127.0.0.1:0"), CHILDREN, false);
    struct ww_exam *e = examine(&s.at);

    (void)state;
    assert_int_equal(e->listeners, 1);
    assert_string_equal(e->listener[0].at.text, s.at.text);
    assert_int_equal(e->listener[0].holders, CHILDREN + 1);
    assert_int_equal(e->listener[0].backlog, 7);
    assert_true(e->listener[0].uid_known);
    assert_int_equal(e->listener[0].uid, geteuid());
    assert_int_equal(e->processes, CHILDREN + 1);
    assert_int_equal(e->process[0].worker.id.pid, s.pid);
    assert_int_equal(e->process[0].role, WW_EXAM_MASTER);
    assert_int_equal(e->process[0].depth, 0);
    for (size_t i = 1; i <= CHILDREN; i++) {
        assert_int_equal(e->process[i].role, WW_EXAM_WORKER);
        assert_int_equal(e->process[i].depth, 1);
        assert_int_equal(e->process[i].ppid, s.pid);
        assert_int_equal(e->process[i].fd_error, 0);
        assert_int_equal(e->process[i].uid, geteuid());
        assert_true(e->process[i].listens);
        assert_false(e->process[i].inferred);
        assert_false(e->process[i].closed);
        assert_true(ww_exam_serves(&e->process[i]));
    }
    assert_false(ww_exam_serves(&e->process[0]));
    free(e);
    end(&s);
}

static void one_process_alone_is_single(void **state)
{
    struct server s = serve(address("[::1]:0"), 0, false);
    struct ww_exam *e = examine(&s.at);

    (void)state;
    assert_int_equal(e->processes, 1);
    assert_int_equal(e->process[0].role, WW_EXAM_SINGLE);
    assert_string_equal(e->listener[0].at.text, s.at.text);
    free(e);
    end(&s);
}

static void a_wildcard_is_found_by_the_address_that_one_connects_to(void **state)
{
    struct server s = serve(address("[::]:0"), 0, false);
    char text[32];

    (void)state;
    snprintf(text, sizeof(text), "127.0.0.1:%u", ww_addr_port(&s.at));

    struct ww_addr there = address(text);
    struct ww_exam *e = examine(&there);

    assert_int_equal(e->listeners, 1);
    assert_string_equal(e->listener[0].at.text, s.at.text);
    assert_int_equal(e->process[0].worker.id.pid, s.pid);
    free(e);
    end(&s);
}

static void each_of_several_listeners_has_its_holder(void **state)
{
    struct server a = serve(address("127.0.0.1:0"), 0, true);
    struct server b = serve(a.at, 0, true);
    struct ww_exam *e = examine(&a.at);

    (void)state;
    assert_int_equal(e->listeners, 2);
    assert_int_equal(e->listener[0].holders, 1);
    assert_int_equal(e->listener[1].holders, 1);
    assert_int_equal(e->processes, 2);
    assert_int_equal(e->process[0].role, WW_EXAM_WORKER);
    assert_int_equal(e->process[1].role, WW_EXAM_WORKER);
    free(e);
    end(&b);
    end(&a);
}

static void an_abstract_socket_is_described_too(void **state)
{
    char text[64];

    (void)state;
    snprintf(text, sizeof(text), "unix:@whichworker-examine-%d", getpid());

    struct server s = serve(address(text), 2, false);
    struct ww_exam *e = examine(&s.at);

    assert_int_equal(e->listeners, 1);
    assert_string_equal(e->listener[0].at.text, text);
    assert_int_equal(e->listener[0].holders, 3);
    assert_int_equal(e->listener[0].backlog, 7);
    free(e);
    end(&s);
}

static void nothing_is_found_where_nothing_listens(void **state)
{
    struct ww_addr at = address("unix:/nowhere/at/all");
    struct ww_exam *e = examine(&at);

    (void)state;
    assert_int_equal(e->listeners, 0);
    assert_int_equal(e->processes, 0);
    assert_int_equal(e->uid, geteuid());
    assert_true(e->program[0] == '/');
    free(e);
}

static void what_is_no_proc_is_an_error(void **state)
{
    struct ww_examine_config cfg = { .upstream = address("127.0.0.1:1"),
                                     .proc_root = "/nowhere/at/all" };
    struct ww_err err = { 0 };

    (void)state;
    assert_null(ww_examine(&cfg, &err));
    assert_int_equal(err.code, WW_ESYSTEM);
}

static enum ww_exam_role role_of_one_called(const char *name)
{
    char before[16];

    prctl(PR_GET_NAME, before);
    prctl(PR_SET_NAME, name);

    struct server s = serve(address("127.0.0.1:0"), 0, false);

    prctl(PR_SET_NAME, before);

    struct ww_exam *e = examine(&s.at);

    assert_int_equal(e->processes, 1);

    enum ww_exam_role role = e->process[0].role;

    free(e);
    end(&s);
    return role;
}

static void proxies_and_activators_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(role_of_one_called("haproxy"), WW_EXAM_ROUTER);
    assert_int_equal(role_of_one_called("docker-proxy"), WW_EXAM_ROUTER);
    assert_int_equal(role_of_one_called("systemd"), WW_EXAM_ACTIVATOR);
    assert_int_equal(role_of_one_called("haproxyd"), WW_EXAM_SINGLE);
}

/* In a child that is another user: what root's processes are to it. */
static int see_as_nobody(const struct ww_addr *at, pid_t server)
{
    struct ww_examine_config cfg = { .upstream = *at, .proc_root = "/proc" };

    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;

    struct ww_exam *e = ww_examine(&cfg, NULL);

    if (e == NULL || e->listeners != 1)
        return 2;
    if (e->listener[0].holders != 0 || e->processes != 0 || e->hidden.processes == 0)
        return 3;
    if (!e->listener[0].uid_known || e->listener[0].uid != 0)
        return 4;
    free(e);

    /* Once the kernel has named it, its family is known by its parents. */
    cfg.named_pid = server;
    e = ww_examine(&cfg, NULL);
    if (e == NULL || e->processes != CHILDREN + 1)
        return 5;
    for (size_t i = 0; i < e->processes; i++) {
        if (e->process[i].fd_error == 0 || !e->process[i].inferred || e->process[i].listens)
            return 6;
    }
    if (e->process[0].role != WW_EXAM_MASTER || e->process[1].role != WW_EXAM_WORKER)
        return 7;
    free(e);
    return 0;
}

static void what_another_user_runs_is_hidden_and_said_to_be(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();

    struct server s = serve(address("127.0.0.1:0"), CHILDREN, false);
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(see_as_nobody(&s.at, s.pid));
    assert_int_equal(waitpid(child, &status, 0), child);
    end(&s);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_master_and_its_workers_are_told_apart),
        cmocka_unit_test(one_process_alone_is_single),
        cmocka_unit_test(a_wildcard_is_found_by_the_address_that_one_connects_to),
        cmocka_unit_test(each_of_several_listeners_has_its_holder),
        cmocka_unit_test(an_abstract_socket_is_described_too),
        cmocka_unit_test(nothing_is_found_where_nothing_listens),
        cmocka_unit_test(what_is_no_proc_is_an_error),
        cmocka_unit_test(proxies_and_activators_are_known_by_name),
        cmocka_unit_test(what_another_user_runs_is_hidden_and_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
