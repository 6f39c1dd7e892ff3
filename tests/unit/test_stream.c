/* Streams over real sockets of this machine: what each side sees of the other. */
#include "check.h"

#include <whichworker/arena.h>
#include <whichworker/buf.h>
#include <whichworker/stream.h>
#include <whichworker/units.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define PATIENCE_US 10000000
#define LARGE       (4u << 20)

/* One end and what happened to it. */
struct side {
    struct ww_stream *stream;
    struct ww_buf got;
    bool connected;
    bool ended;
    bool drained;
    int error;
    bool closed; /* by the test: nothing may happen any more */
};

struct net {
    struct ww_loop *loop;
    struct ww_timer *ticker;
    struct ww_listener *listener;
    struct ww_dialer *dialer;
    struct ww_addr addr;
    struct side client;
    struct side server;
    char dir[32];
};

static struct side *alive(void *owner)
{
    struct side *s = owner;

    assert_false(s->closed);
    return s;
}

static void on_connected(void *owner)
{
    alive(owner)->connected = true;
}

static void on_read(void *owner, ww_str bytes)
{
    assert_true(ww_buf_add(&alive(owner)->got, bytes));
}

static void on_end(void *owner)
{
    assert_false(alive(owner)->ended);
    alive(owner)->ended = true;
}

static void on_drained(void *owner)
{
    alive(owner)->drained = true;
}

static void on_error(void *owner, int error)
{
    alive(owner)->error = error;
}

static const struct ww_stream_events events = { .on_connected = on_connected,
                                                .on_read = on_read,
                                                .on_end = on_end,
                                                .on_drained = on_drained,
                                                .on_error = on_error };

static void on_accept(void *ctx, struct ww_stream *s, const struct ww_addr *peer)
{
    struct net *n = ctx;

    assert_true(peer->text[0] != '\0');
    n->server.stream = s;
    n->server.connected = true;
    ww_stream_own(s, &events, &n->server);
}

static void on_ticker(void *ctx)
{
    const struct net *n = ctx;

    ww_timer_start(n->ticker, 1);
}

#define wait_for(n_, condition_)                                                               \
    do {                                                                                       \
        int64_t until_ = ww_clock_mono_us() + PATIENCE_US;                                     \
                                                                                               \
        while (!(condition_)) {                                                                \
            assert_true(ww_clock_mono_us() < until_);                                          \
            ww_loop_turn((n_)->loop);                                                          \
        }                                                                                      \
    } while (0)

static void turn_a_little(struct net *n)
{
    for (int i = 0; i < 20; i++)
        ww_loop_turn(n->loop);
}

static struct net *net_new(void)
{
    struct net *n = test_calloc(1, sizeof(*n));
    struct ww_err err = { 0 };

    n->loop = ww_loop_new(&err);
    n->ticker = ww_timer_new(n->loop, on_ticker, n);
    ww_timer_start(n->ticker, 1);
    ww_buf_init(&n->client.got, 2 * LARGE);
    ww_buf_init(&n->server.got, 2 * LARGE);
    return n;
}

static void listen_on(struct net *n, ww_str text)
{
    struct ww_err err = { 0 };

    assert_int_equal(ww_addr_parse(text, "listen", &n->addr, &err), 0);
    n->listener = ww_listener_new(n->loop, &n->addr, on_accept, n, &err);
    assert_non_null(n->listener);
    n->addr = *ww_listener_addr(n->listener);
}

static ww_str socket_path(struct net *n, char *text, size_t size)
{
    snprintf(n->dir, sizeof(n->dir), "/tmp/ww-stream-XXXXXX");
    assert_non_null(mkdtemp(n->dir));
    snprintf(text, size, "unix:%s/s", n->dir);
    return ww_str_c(text);
}

static int set_up_tcp(void **state)
{
    struct net *n = *state = net_new();

    listen_on(n, WW_STR("127.0.0.1:0"));
    return 0;
}

static int set_up_unix(void **state)
{
    struct net *n = *state = net_new();
    char text[64];

    listen_on(n, socket_path(n, text, sizeof(text)));
    return 0;
}

static int set_up_bare(void **state)
{
    *state = net_new();
    return 0;
}

static void close_side(struct side *s)
{
    if (s->stream != NULL && !s->closed)
        ww_stream_close(s->stream);
    s->closed = true;
}

static int tear_down(void **state)
{
    struct net *n = *state;

    close_side(&n->client);
    close_side(&n->server);
    ww_listener_free(n->listener);
    ww_timer_free(n->ticker);
    ww_loop_free(n->loop); /* aborts if something was not given back */
    ww_dialer_free(n->dialer);
    ww_buf_release(&n->client.got);
    ww_buf_release(&n->server.got);
    if (n->dir[0] != '\0')
        rmdir(n->dir); /* the listener took its socket file along */
    test_free(n);
    return 0;
}

static void dial(struct net *n)
{
    n->dialer = ww_dialer_new(n->loop, &n->addr);
    n->client.stream = n->dialer->dial(n->dialer);
    ww_stream_own(n->client.stream, &events, &n->client);
    n->client.connected = ww_stream_is_connected(n->client.stream);
}

static void connect_both(struct net *n)
{
    dial(n);
    wait_for(n, n->client.connected && n->server.stream != NULL);
}

static enum ww_written say(struct side *s, ww_str bytes)
{
    return ww_stream_write(s->stream, &bytes, 1);
}

static void both_ways(void **state)
{
    struct net *n = *state;
    ww_str pieces[] = { WW_STR("a"), WW_STR(""), WW_STR("bc") };

    connect_both(n);
    assert_true(ww_stream_fd(n->client.stream) >= 0);
    ww_stream_read(n->client.stream, true);
    ww_stream_read(n->server.stream, true);
    assert_int_equal(ww_stream_write(n->client.stream, pieces, 3), WW_WRITTEN);
    wait_for(n, n->server.got.len == 3);
    assert_slice(ww_buf_str(&n->server.got), "abc");
    assert_int_equal(say(&n->server, WW_STR("d")), WW_WRITTEN);
    wait_for(n, n->client.got.len == 1);
    assert_int_equal(n->client.error, 0);
}

static void nothing_is_read_while_reading_is_off(void **state)
{
    struct net *n = *state;

    connect_both(n);
    say(&n->client, WW_STR("a"));
    turn_a_little(n);
    assert_int_equal(n->server.got.len, 0);
    ww_stream_read(n->server.stream, true);
    wait_for(n, n->server.got.len == 1);
    ww_stream_read(n->server.stream, false);
    say(&n->client, WW_STR("b"));
    turn_a_little(n);
    assert_int_equal(n->server.got.len, 1);
}

/* More than the kernel takes: the rest waits, in order, and on_drained tells when it is gone.
 */
static void large_writes_pend_and_drain(void **state)
{
    struct net *n = *state;
    char *large = ww_xmalloc(LARGE);

    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i * 31 >> 3);
    connect_both(n);
    assert_int_equal(say(&n->client, ww_str_n(large, LARGE)), WW_PENDING);
    assert_int_equal(say(&n->client, WW_STR("end")), WW_PENDING);
    turn_a_little(n);
    assert_false(n->client.drained);
    ww_stream_read(n->server.stream, true);
    wait_for(n, n->server.got.len == LARGE + 3 && n->client.drained);
    assert_memory_equal(n->server.got.ptr, large, LARGE);
    assert_memory_equal(n->server.got.ptr + LARGE, "end", 3);
    assert_int_equal(say(&n->client, WW_STR("x")), WW_WRITTEN);
    free(large);
}

/* finish comes behind what is pending, and closes one direction only. */
static void finish_is_seen_and_the_other_way_stays(void **state)
{
    struct net *n = *state;
    char *large = ww_xcalloc(1, LARGE);

    connect_both(n);
    assert_int_equal(say(&n->client, ww_str_n(large, LARGE)), WW_PENDING);
    ww_stream_finish(n->client.stream);
    ww_stream_finish(n->client.stream); /* once is enough, twice is fine */
    ww_stream_read(n->server.stream, true);
    ww_stream_read(n->client.stream, true);
    wait_for(n, n->server.ended);
    assert_int_equal(n->server.got.len, LARGE);
    assert_false(n->client.ended);
    assert_int_equal(say(&n->server, WW_STR("late")), WW_WRITTEN);
    wait_for(n, n->client.got.len == 4);
    free(large);
}

static void close_is_seen_as_an_end(void **state)
{
    struct net *n = *state;

    connect_both(n);
    ww_stream_read(n->server.stream, true);
    say(&n->client, WW_STR("bye"));
    close_side(&n->client);
    wait_for(n, n->server.ended);
    assert_slice(ww_buf_str(&n->server.got), "bye");
    assert_int_equal(n->server.error, 0);
}

static void reset_is_seen_as_an_error(void **state)
{
    struct net *n = *state;

    connect_both(n);
    ww_stream_read(n->server.stream, true);
    ww_stream_reset(n->client.stream);
    n->client.closed = true;
    wait_for(n, n->server.error != 0);
    assert_int_equal(n->server.error, ECONNRESET);
    assert_false(n->server.ended);
}

static void a_reset_with_much_pending_is_one_too(void **state)
{
    struct net *n = *state;
    char *large = ww_xcalloc(1, LARGE);

    connect_both(n);
    assert_int_equal(say(&n->client, ww_str_n(large, LARGE)), WW_PENDING);
    ww_stream_reset(n->client.stream);
    n->client.closed = true;
    ww_stream_read(n->server.stream, true);
    wait_for(n, n->server.error != 0);
    assert_int_equal(n->server.error, ECONNRESET);
    free(large);
}

/* The side that closed gets nothing more, though much was on its way in both directions. */
static void no_event_comes_after_close(void **state)
{
    struct net *n = *state;
    char *large = ww_xcalloc(1, LARGE);

    connect_both(n);
    ww_stream_read(n->client.stream, true);
    say(&n->server, WW_STR("x"));
    assert_int_equal(say(&n->client, ww_str_n(large, LARGE)), WW_PENDING);
    close_side(&n->client); /* every event asserts that it is not closed */
    ww_stream_read(n->server.stream, true);
    wait_for(n, n->server.ended || n->server.error != 0);
    turn_a_little(n);
    free(large);
}

static void a_dial_that_is_closed_at_once_is_silent(void **state)
{
    struct net *n = *state;

    dial(n);
    close_side(&n->client);
    turn_a_little(n);
    ww_stream_close(NULL);
}

/* It answers without having read, and closes: the answer must be readable though writing fails.
 */
static void an_answer_is_read_although_writing_failed(void **state)
{
    struct net *n = *state;
    char *large = ww_xcalloc(1, LARGE);

    connect_both(n);
    assert_int_equal(say(&n->client, ww_str_n(large, LARGE)), WW_PENDING);
    say(&n->server, WW_STR("413"));
    ww_stream_read(n->client.stream, true);
    close_side(&n->server);
    wait_for(n, n->client.error != 0 || n->client.ended);
    assert_slice(ww_buf_str(&n->client.got), "413");
    assert_false(n->client.ended); /* a reset is no proper end, whoever met it */
    assert_int_equal(say(&n->client, WW_STR("x")), WW_UNWRITABLE);
    free(large);
}

static void refused(struct net *n, int error)
{
    dial(n);
    assert_false(n->client.connected);
    assert_int_equal(n->client.error, 0); /* never from inside dial */
    wait_for(n, n->client.error != 0 || n->client.connected);
    assert_int_equal(n->client.error, error);
}

static void a_port_that_nobody_listens_on_refuses(void **state)
{
    struct net *n = *state;

    ww_listener_free(n->listener);
    n->listener = NULL;
    turn_a_little(n);
    refused(n, ECONNREFUSED);
}

static void a_socket_file_that_is_not_there_refuses(void **state)
{
    struct net *n = *state;

    ww_listener_free(n->listener);
    n->listener = NULL;
    turn_a_little(n);
    refused(n, ENOENT);
}

/* Without a descriptor left connecting fails before it begins; it has to be told all the same.
 */
static void a_dial_without_a_descriptor_is_told(void **state)
{
    struct net *n = *state;
    struct rlimit before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, before.rlim_max }), 0);
    dial(n);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    wait_for(n, n->client.error != 0 || n->client.connected);
    assert_int_equal(n->client.error, EMFILE);
}

/* A listener of our own, whose backlog we fill; connect(2) then says EAGAIN, and no event ever.
 */
static void a_full_unix_backlog_is_tried_again(void **state)
{
    struct net *n = *state;
    char text[64];
    struct ww_err err = { 0 };
    int filler[2];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(ww_addr_parse(socket_path(n, text, sizeof(text)), "a", &n->addr, &err), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&n->addr.sa, n->addr.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < COUNT(filler); i++) {
        filler[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (struct sockaddr *)&n->addr.sa, n->addr.len);
    }
    dial(n);
    turn_a_little(n);
    assert_false(n->client.connected);
    assert_int_equal(n->client.error, 0);
    close(accept(fd, NULL, NULL));
    wait_for(n, n->client.connected);
    assert_int_equal(n->client.error, 0);
    for (size_t i = 0; i < COUNT(filler); i++)
        close(filler[i]);
    close(fd);
    unlink(text + strlen("unix:"));
}

static void a_paused_listener_lets_them_wait(void **state)
{
    struct net *n = *state;

    ww_listener_pause(n->listener, true);
    dial(n);
    turn_a_little(n);
    assert_null(n->server.stream);
    ww_listener_pause(n->listener, false);
    wait_for(n, n->server.stream != NULL);
}

static void a_port_that_is_taken_is_said(void **state)
{
    struct net *n = *state;
    struct ww_err err = { 0 };

    assert_true(ww_addr_port(&n->addr) != 0);
    assert_null(ww_listener_new(n->loop, &n->addr, on_accept, n, &err));
    assert_int_equal(err.code, WW_ESYSTEM);
    assert_non_null(strstr(err.text, "--listen"));
}

#define TCP(name_)                                                                             \
    {                                                                                          \
        .name = #name_ ", tcp", .test_func = name_, .setup_func = set_up_tcp,                  \
        .teardown_func = tear_down                                                             \
    }
#define UNIX(name_)                                                                            \
    {                                                                                          \
        .name = #name_ ", unix", .test_func = name_, .setup_func = set_up_unix,                \
        .teardown_func = tear_down                                                             \
    }
#define BOTH(name_) TCP(name_), UNIX(name_)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(both_ways),
        BOTH(nothing_is_read_while_reading_is_off),
        BOTH(large_writes_pend_and_drain),
        BOTH(finish_is_seen_and_the_other_way_stays),
        BOTH(close_is_seen_as_an_end),
        TCP(reset_is_seen_as_an_error),
        TCP(a_reset_with_much_pending_is_one_too),
        BOTH(no_event_comes_after_close),
        BOTH(a_dial_that_is_closed_at_once_is_silent),
        BOTH(an_answer_is_read_although_writing_failed),
        TCP(a_port_that_nobody_listens_on_refuses),
        UNIX(a_socket_file_that_is_not_there_refuses),
        TCP(a_dial_without_a_descriptor_is_told),
        { .name = "a_full_unix_backlog_is_tried_again",
          .test_func = a_full_unix_backlog_is_tried_again,
          .setup_func = set_up_bare,
          .teardown_func = tear_down },
        BOTH(a_paused_listener_lets_them_wait),
        TCP(a_port_that_is_taken_is_said),
    };

    signal(SIGPIPE, SIG_IGN); /* as the program does */
    alarm(120);
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
