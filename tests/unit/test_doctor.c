/* What doctor concludes from what it saw, and how it says so. */
#include "check.h"
#include "doctor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 2

/* A picture to judge: a healthy server of one master and two workers, then changed. */
struct picture {
    struct ww_exam exam;
    struct touch touch;
    struct doctor_input in;
    struct doctor d;
};

static int paint(void **state)
{
    struct picture *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    assert_int_equal(ww_addr_parse(WW_STR("127.0.0.1:8000"), "test", &p->exam.upstream, NULL),
                     WW_OK);
    p->exam.listeners = 1;
    p->exam.listener[0] = (struct ww_exam_listener){
        .at = p->exam.upstream, .inode = 7, .uid_known = true, .holders = WORKERS + 1
    };
    p->exam.processes = WORKERS + 1;
    for (int i = 0; i <= WORKERS; i++) {
        p->exam.process[i] = (struct ww_exam_process){
            .worker = { .id = { .pid = 100 + i }, .started_us = 1, .command = "server" },
            .ppid = i == 0 ? 1 : 100,
            .depth = i == 0 ? 0 : 1,
            .uid_known = true,
            .role = i == 0 ? WW_EXAM_MASTER : WW_EXAM_WORKER,
            .listens = true,
        };
    }
    p->exam.uid = 65534;
    p->exam.cap_possible = true;
    snprintf(p->exam.program, sizeof(p->exam.program), "/opt/whichworker");
    p->touch = (struct touch){ .tried = true, .n = 1 };
    p->touch.one[0] = (struct touch_one){ .owner = WW_OWNER_KNOWN };
    p->in = (struct doctor_input){ .exam = &p->exam,
                                   .touch = &p->touch,
                                   .upstream = WW_STR("127.0.0.1:8000") };
    *state = p;
    return 0;
}

static int wipe(void **state)
{
    struct picture *p = *state;

    doctor_release(&p->d);
    free(p);
    return 0;
}

static void judged(struct picture *p, int status, const char *verdict)
{
    doctor_judge(&p->in, &p->d);
    assert_int_equal(p->d.status, status);
    assert_string_equal(doctor_verdict(&p->d), verdict);
}

static void hide(struct picture *p, size_t first, bool closed)
{
    for (size_t i = first; i <= WORKERS; i++) {
        p->exam.process[i].fd_error = EACCES;
        p->exam.process[i].closed = closed;
    }
}

static bool says(const struct ww_buf *b, const char *words)
{
    return ww_str_find(ww_buf_str(b), ww_str_c(words)) >= 0;
}

/* Is there a remedy with this very command? */
static bool prescribes(const struct picture *p, const char *command)
{
    const struct doctor_source *s = &p->d.source[DOCTOR_KERNEL];

    for (size_t i = 0; i < s->remedies; i++) {
        if (ww_str_eq(ww_buf_str(&s->remedy[i].command), ww_str_c(command)))
            return true;
    }
    return false;
}

#define SETCAP  "sudo setcap cap_sys_ptrace,cap_dac_read_search+ep /opt/whichworker"
#define AS_ROOT "sudo /opt/whichworker proxy --upstream 127.0.0.1:8000"

static void readable_workers_are_fine(void **state)
{
    struct picture *p = *state;

    judged(p, 0, "works");
    assert_int_equal(p->d.source[DOCTOR_KERNEL].remedies, 0);
}

static void busy_workers_are_fine_too(void **state)
{
    struct picture *p = *state;

    p->touch.one[0] = (struct touch_one){ .owner = WW_OWNER_QUEUED };
    judged(p, 0, "works");
}

static void a_full_queue_is_no_obstacle(void **state)
{
    struct picture *p = *state;

    p->touch.n = 0;
    p->touch.error = EAGAIN;
    judged(p, 0, "works");
}

static void no_connection_is_needed_where_workers_accept(void **state)
{
    struct picture *p = *state;

    p->touch = (struct touch){ 0 };
    judged(p, 0, "works");
}

static void nothing_that_listens_is_nothing_to_say(void **state)
{
    struct picture *p = *state;

    p->exam.listeners = p->exam.processes = 0;
    p->touch = (struct touch){ .tried = true, .error = ECONNREFUSED };
    judged(p, 2, "unknown");
    doctor_release(&p->d);
    p->touch = (struct touch){ 0 };
    judged(p, 2, "unknown");
    doctor_release(&p->d);
    p->touch = (struct touch){ .tried = true, .error = EHOSTUNREACH };
    judged(p, 2, "unknown");
}

static void a_backend_elsewhere_cannot_be_seen(void **state)
{
    struct picture *p = *state;

    p->exam.listeners = p->exam.processes = 0;
    judged(p, 1, "fails");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "on another host or in a container"));
}

static void a_kernel_that_does_not_tell_is_named_with_its_module(void **state)
{
    struct picture *p = *state;

    p->exam.listeners = p->exam.processes = 0;
    p->exam.diag_error = ENOENT;
    judged(p, 1, "fails");
    assert_true(prescribes(p, "sudo modprobe tcp_diag"));
}

static void hidden_workers_of_root_want_root_or_both_capabilities(void **state)
{
    struct picture *p = *state;

    hide(p, 0, false);
    judged(p, 1, "fails");
    assert_true(prescribes(p, AS_ROOT));
    assert_true(prescribes(p, SETCAP));
    assert_int_equal(p->d.source[DOCTOR_KERNEL].remedies, 2);
}

static void hidden_workers_of_a_user_can_be_read_as_that_user(void **state)
{
    struct picture *p = *state;

    hide(p, 0, false);
    for (size_t i = 0; i <= WORKERS; i++)
        p->exam.process[i].uid = 4040404;
    judged(p, 1, "fails");
    assert_true(
        prescribes(p, "sudo -u '#4040404' /opt/whichworker proxy --upstream 127.0.0.1:8000"));
    assert_true(prescribes(p, AS_ROOT));
}

static void closed_workers_cannot_be_read_as_their_user(void **state)
{
    struct picture *p = *state;

    hide(p, 0, true);
    for (size_t i = 0; i <= WORKERS; i++)
        p->exam.process[i].uid = 4040404;
    judged(p, 1, "fails");
    assert_int_equal(p->d.source[DOCTOR_KERNEL].remedies, 2);
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "without an exec"));
}

static void the_socket_tells_the_user_where_no_process_is_seen(void **state)
{
    struct picture *p = *state;

    p->exam.processes = 0;
    p->exam.listener[0].holders = 0;
    p->exam.listener[0].uid = 4040404;
    p->exam.hidden.processes = 12;
    judged(p, 1, "fails");
    assert_true(
        prescribes(p, "sudo -u '#4040404' /opt/whichworker proxy --upstream 127.0.0.1:8000"));
}

static void one_hidden_worker_makes_it_partly(void **state)
{
    struct picture *p = *state;

    hide(p, WORKERS, false);
    judged(p, 1, "partly");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "1 of the 2 processes"));
}

static void a_listener_without_a_holder_makes_it_partly(void **state)
{
    struct picture *p = *state;

    p->exam.listener[1] = p->exam.listener[0];
    p->exam.listener[1].holders = 0;
    p->exam.listeners = 2;
    judged(p, 1, "partly");
}

static void an_acceptor_that_was_not_seen_makes_it_partly(void **state)
{
    struct picture *p = *state;

    p->touch.one[0] =
        (struct touch_one){ .owner = WW_OWNER_UNKNOWN, .why = WW_OBSTACLE_UNREADABLE };
    judged(p, 1, "partly");
}

static void a_hidden_master_alone_is_no_obstacle(void **state)
{
    struct picture *p = *state;

    p->exam.process[0].fd_error = EACCES;
    judged(p, 0, "works");
}

static void half_the_capabilities_are_named(void **state)
{
    struct picture *p = *state;

    hide(p, 0, false);
    p->exam.cap_search = true;
    judged(p, 1, "fails");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "only CAP_DAC_READ_SEARCH"));
}

static void setcap_is_not_prescribed_where_it_cannot_help(void **state)
{
    struct picture *p = *state;

    hide(p, 0, false);
    p->exam.cap_possible = false;
    p->exam.uid = 0;
    judged(p, 1, "fails");
    assert_false(prescribes(p, SETCAP));
    assert_false(prescribes(p, AS_ROOT));
    assert_true(says(&p->d.source[DOCTOR_KERNEL].remedy[0].text, "--cap-add SYS_PTRACE"));
}

static void another_pid_namespace_is_recognised(void **state)
{
    struct picture *p = *state;

    p->exam.processes = 0;
    p->exam.hidden.processes = 3;
    p->touch.peer_known = true; /* of PID 0: it has none here */
    judged(p, 1, "fails");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "PID namespace"));
}

static void a_veiled_proc_is_recognised(void **state)
{
    struct picture *p = *state;

    p->exam.processes = 0;
    p->exam.veiled = true;
    judged(p, 1, "fails");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "hidepid"));
    assert_true(prescribes(p, AS_ROOT));
    assert_true(prescribes(p, SETCAP));
}

static void a_router_is_no_worker(void **state)
{
    struct picture *p = *state;

    p->exam.process[1].role = WW_EXAM_ROUTER;
    judged(p, 1, "fails");
    assert_true(says(&p->d.source[DOCTOR_KERNEL].why, "router"));
}

static void a_hand_over_needs_a_connection_to_be_believed(void **state)
{
    struct picture *p = *state;

    p->exam.process[0].role = WW_EXAM_PRIMARY;
    judged(p, 0, "works");
    doctor_release(&p->d);
    p->touch = (struct touch){ 0 };
    judged(p, 2, "unknown");
    doctor_release(&p->d);
    p->touch = (struct touch){ .tried = true, .n = 1 };
    p->touch.one[0] =
        (struct touch_one){ .owner = WW_OWNER_UNSETTLED, .why = WW_OBSTACLE_HANDOVER };
    judged(p, 1, "fails");
}

static void a_service_that_is_not_started_is_nothing_to_say(void **state)
{
    struct picture *p = *state;

    p->exam.processes = 1;
    p->exam.process[0].role = WW_EXAM_ACTIVATOR;
    judged(p, 2, "unknown");
}

static void a_socket_that_we_may_not_use_is_told(void **state)
{
    struct picture *p = *state;

    p->touch = (struct touch){ .tried = true, .error = EACCES };
    judged(p, 1, "fails");
    assert_true(prescribes(p, AS_ROOT));
}

static void the_other_sources_are_offered_only_where_they_exist(void **state)
{
    struct picture *p = *state;

    judged(p, 0, "works");
    assert_int_equal(p->d.source[DOCTOR_PRELOAD].remedies, 0);
    assert_int_equal(p->d.source[DOCTOR_HEADER].remedies, 0);
    doctor_release(&p->d);
    p->in.has_run = p->in.has_header = true;
    judged(p, 0, "works");
    assert_slice(ww_buf_str(&p->d.source[DOCTOR_PRELOAD].remedy[0].command),
                 "/opt/whichworker run -- COMMAND");
    assert_int_equal(p->d.source[DOCTOR_HEADER].works, DOCTOR_NOT_KNOWN);
    assert_int_equal(p->d.source[DOCTOR_HEADER].remedies, 1);
}

static void a_command_can_be_pasted_into_a_shell(void **state)
{
    struct picture *p = *state;

    hide(p, 0, false);
    snprintf(p->exam.program, sizeof(p->exam.program), "/opt/it's $here");
    p->in.upstream = WW_STR("unix:/run/a b.sock");
    judged(p, 1, "fails");
    assert_true(
        prescribes(p, "sudo '/opt/it'\\''s $here' proxy --upstream 'unix:/run/a b.sock'"));
}

/* Names of processes are anybody's to choose. */
static void text_is_printable_and_coloured_only_when_asked(void **state)
{
    struct picture *p = *state;
    struct ww_buf out;

    snprintf(p->exam.process[1].worker.command, WW_WORKER_COMMAND, "\x1b]0;owned\a\n\xff");
    hide(p, WORKERS, false);
    judged(p, 1, "partly");
    ww_buf_init(&out, 1 << 20);
    doctor_text(&p->in, &p->d, false, 200, &out);
    assert_false(says(&out, "\x1b"));
    assert_false(says(&out, "\a"));
    assert_true(says(&out, "\\x1b]0;owned\\x07\\x0a\\xff"));
    assert_true(says(&out, "PARTLY"));
    assert_true(says(&out, SETCAP "\n"));
    ww_buf_clear(&out);
    doctor_text(&p->in, &p->d, true, 200, &out);
    assert_true(says(&out, "\x1b[1;33mPARTLY"));
    assert_false(says(&out, "\x1b]"));
    ww_buf_release(&out);
}

static void json_is_one_object_that_says_it_all(void **state)
{
    struct picture *p = *state;
    struct ww_buf out;
    const char *verdict = NULL;
    const char *address = NULL;
    const char *why = NULL;
    int status = 0, works = -1, pid = 0, readable = -1;

    hide(p, WORKERS, false);
    snprintf(p->exam.process[0].worker.command, WW_WORKER_COMMAND, "\"\\\x01\xff");
    judged(p, 1, "partly");
    ww_buf_init(&out, 1 << 20);
    doctor_json(&p->in, &p->d, &out);

    json_t *root = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(root);
    assert_int_equal(
        json_unpack(root, "{s:s, s:i, s:[{s:s}], s:[{}, {}, {s:i, s:b}], s:{s:{s:b, s:s}}}",
                    "verdict", &verdict, "exit_status", &status, "listeners", "address",
                    &address, "processes", "pid", &pid, "readable", &readable, "sources",
                    "kernel", "works", &works, "why", &why),
        0);
    assert_string_equal(verdict, "partly");
    assert_string_equal(address, "127.0.0.1:8000");
    assert_int_equal(status, 1);
    assert_int_equal(works, 0);
    assert_int_equal(pid, 102);
    assert_int_equal(readable, 0);
    json_decref(root);
    ww_buf_release(&out);
}

#define PICTURED(test_) cmocka_unit_test_setup_teardown(test_, paint, wipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PICTURED(readable_workers_are_fine),
        PICTURED(busy_workers_are_fine_too),
        PICTURED(a_full_queue_is_no_obstacle),
        PICTURED(no_connection_is_needed_where_workers_accept),
        PICTURED(nothing_that_listens_is_nothing_to_say),
        PICTURED(a_backend_elsewhere_cannot_be_seen),
        PICTURED(a_kernel_that_does_not_tell_is_named_with_its_module),
        PICTURED(hidden_workers_of_root_want_root_or_both_capabilities),
        PICTURED(hidden_workers_of_a_user_can_be_read_as_that_user),
        PICTURED(closed_workers_cannot_be_read_as_their_user),
        PICTURED(the_socket_tells_the_user_where_no_process_is_seen),
        PICTURED(one_hidden_worker_makes_it_partly),
        PICTURED(a_listener_without_a_holder_makes_it_partly),
        PICTURED(an_acceptor_that_was_not_seen_makes_it_partly),
        PICTURED(a_hidden_master_alone_is_no_obstacle),
        PICTURED(half_the_capabilities_are_named),
        PICTURED(setcap_is_not_prescribed_where_it_cannot_help),
        PICTURED(another_pid_namespace_is_recognised),
        PICTURED(a_veiled_proc_is_recognised),
        PICTURED(a_router_is_no_worker),
        PICTURED(a_hand_over_needs_a_connection_to_be_believed),
        PICTURED(a_service_that_is_not_started_is_nothing_to_say),
        PICTURED(a_socket_that_we_may_not_use_is_told),
        PICTURED(the_other_sources_are_offered_only_where_they_exist),
        PICTURED(a_command_can_be_pasted_into_a_shell),
        PICTURED(text_is_printable_and_coloured_only_when_asked),
        PICTURED(json_is_one_object_that_says_it_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
