/* The trace file: every field comes back, and the views say what they should. */
#include "trace_file.h"

/* ---- round trips */

static void full_fields(struct ww_exchange *x)
{
    struct ww_arena *a = &x->arena;

    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("Host"), WW_STR("localhost")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-A"), WW_STR("1")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("x-a"), WW_STR("2: b: c")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-Empty"), WW_STR("")));
    assert_true(ww_fields_add(&x->request_fields, a, WW_STR("X-A"), WW_STR("\xff\xfe latin")));
    assert_true(ww_fields_add(&x->response_fields, a, WW_STR("Set-Cookie"), WW_STR("a=1")));
    assert_true(ww_fields_add(&x->response_fields, a, WW_STR("Set-Cookie"), WW_STR("b=2")));
}

static struct ww_exchange *full(uint64_t id, ww_str request_body, ww_str response_body)
{
    struct ww_exchange *x = plain(id);

    x->connection = 3;
    x->upstream = 44;
    x->request_id = WW_STR("id-1");
    x->connected_us = x->started_us + 100;
    x->accepted_us = x->started_us + 200;
    x->answered_us = x->started_us + 300;
    x->target = WW_STR("/cars?x='\"%00;--");
    full_fields(x);
    x->request_body = (struct ww_body){ .bytes = request_body, .size = 1ULL << 40 };
    x->response_body = (struct ww_body){ .bytes = response_body, .size = response_body.len };
    x->end = WW_END_UPSTREAM_CUT;
    return x;
}

static void every_field_comes_back(void **state)
{
    static char big[3 << 20];
    const ww_str bodies[][2] = {
        { { 0 }, { 0 } },
        { WW_STR(""), { 0 } },
        { { 0 }, WW_STR("") },
        { WW_STR("a\0b\xff\x00"), WW_STR("{\"n\":1}") },
        { WW_STR("{\"n\":1}"), WW_STR("{\"n\":1}") },
        { { big, sizeof(big) }, { big, sizeof(big) - 1 } },
    };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    size_t n = sizeof(bodies) / sizeof(bodies[0]);

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + (i >> 8));
    for (size_t i = 0; i < n; i++)
        emit(w, full(i + 1, bodies[i][0], bodies[i][1]));
    close_writer(w);

    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < n; i++) {
        struct ww_exchange *want = full(i + 1, bodies[i][0], bodies[i][1]);
        const struct ww_exchange *got = next_exchange(r);
        assert_non_null(got);
        assert_exchange(got, want);
        ww_exchange_free(want);
    }
    assert_null(next_exchange(r));
    ww_reader_close(r);
}

static void nothing_at_all_comes_back_as_nothing(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_exchange *x = ww_exchange_new(1024);
    struct ww_exchange want = { .id = 1, .started_us = 5, .end = WW_END_BAD_REQUEST };

    x->id = want.id;
    x->started_us = want.started_us;
    x->end = want.end;
    emit(w, x);
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    const struct ww_exchange *got = next_exchange(r);
    assert_non_null(got);
    assert_exchange(got, &want);
    ww_reader_close(r);
}

static void every_end_and_source_comes_back(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    for (unsigned i = 0; i < WW_ENDS * WW_SOURCES; i++) {
        struct ww_exchange *x = plain(i + 1);
        x->end = (enum ww_end)(i % WW_ENDS);
        x->by = (enum ww_source)(i / WW_ENDS);
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (unsigned i = 0; i < WW_ENDS * WW_SOURCES; i++) {
        const struct ww_exchange *x = next_exchange(r);
        assert_non_null(x);
        assert_int_equal(x->end, i % WW_ENDS);
        assert_int_equal(x->by, i / WW_ENDS);
    }
    ww_reader_close(r);
}

static void exchanges_come_in_order_of_time_then_id(void **state)
{
    static const uint64_t written[][2] = {
        { 3, 10 }, { 1, 20 }, { 5, 10 }, { 2, 5 }, { 4, 20 }
    };
    static const uint64_t read[] = { 2, 3, 5, 1, 4 };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);

    for (size_t i = 0; i < 5; i++) {
        struct ww_exchange *x = plain(written[i][0]);
        x->started_us = T0 + (int64_t)written[i][1];
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(next_exchange(r)->id, read[i]);
    ww_reader_close(r);
}

static void the_run_comes_back_with_its_end(void **state)
{
    const struct place *p = *state;

    close_writer(writer_at(p->path));
    struct ww_reader *r = reader_at(p->path);
    const struct ww_run *run = ww_reader_run(r);
    assert_int_equal(run->started_us, T0);
    assert_int_equal(run->ended_us, T0 + 9000000);
    assert_int_equal(run->stalls, 7);
    assert_int_equal(run->lost, 0);
    assert_string_equal(run->version, "0.1.0");
    assert_string_equal(run->upstream, "127.0.0.1:8000");
    assert_string_equal(run->upstream_connections, "fresh");
    assert_string_equal(run->schedule, "natural");
    ww_reader_close(r);
}

static void a_worker_that_changed_is_one_worker(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_sink *s = ww_writer_sink(w);
    struct ww_worker a = { .id = { .pid = 51463, .start_ticks = 100 },
                           .started_us = T0,
                           .command = "gunicorn: worker [app:app]" };
    struct ww_worker b = { .id = { .pid = 51463, .start_ticks = 200 }, .slot = 1 };
    struct ww_worker got;
    struct ww_err err = { 0 };

    s->worker(s, &a);
    s->worker(s, &b);
    a.ended_us = T0 + 5;
    s->worker(s, &a);
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 1);
    assert_true(ww_worker_same(got.id, a.id));
    assert_int_equal(got.started_us, T0);
    assert_int_equal(got.ended_us, T0 + 5);
    assert_string_equal(got.command, a.command);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 1);
    assert_true(ww_worker_same(got.id, b.id));
    assert_int_equal(got.slot, 1);
    assert_int_equal(got.ended_us, 0);
    assert_int_equal(ww_reader_next_worker(r, &got, &err), 0);
    ww_reader_close(r);
}

static void a_payload_is_kept_once(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_payload mine[] = {
        { .value = WW_STR("mac:1"), .form = "jwt", .json = WW_STR("{}") },
        { .value = WW_STR("mac:2"),
          .form = "django",
          .json = WW_STR("[]"),
          .content = WW_STR("mac:3") }
    };
    struct ww_payload got;
    struct ww_err err = { 0 };

    for (uint64_t i = 1; i <= 3; i++) {
        struct ww_exchange *x = plain(i);
        x->payload = mine;
        x->payloads = i == 1 ? 1 : 2;
        emit(w, x);
    }
    close_writer(w);
    struct ww_reader *r = reader_at(p->path);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ww_reader_next_payload(r, &got, &err), 1);
        assert_str(got.value, mine[i].value);
        assert_string_equal(got.form, mine[i].form);
        assert_str(got.json, mine[i].json);
        assert_str(got.content, mine[i].content);
    }
    assert_int_equal(ww_reader_next_payload(r, &got, &err), 0);
    ww_reader_close(r);
}

static void equal_bodies_are_kept_once(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char out[4096];

    for (uint64_t i = 1; i <= 10; i++) {
        struct ww_exchange *x = plain(i);
        x->response_body = (struct ww_body){ .bytes = WW_STR("same"), .size = 4 };
        emit(w, x);
    }
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT count(*) FROM body", out), "1");
}

static void what_another_source_said_comes_back(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_exchange *x = plain(1);

    x->also_by = WW_BY_HEADER;
    x->also_worker = (struct ww_worker_id){ .pid = 4700, .start_ticks = 99 };
    emit(w, x);
    emit(w, plain(2));
    close_writer(w);

    struct ww_reader *r = reader_at(p->path);
    const struct ww_exchange *got = next_exchange(r);

    assert_int_equal(got->by, WW_BY_KERNEL);
    assert_int_equal(got->also_by, WW_BY_HEADER);
    assert_int_equal(got->also_worker.pid, 4700);
    assert_int_equal(got->also_worker.start_ticks, 99);
    got = next_exchange(r);
    assert_int_equal(got->also_by, WW_BY_NOBODY);
    assert_int_equal(got->also_worker.pid, 0);
    ww_reader_close(r);
}

/* ---- views */

struct row {
    uint64_t id;
    uint64_t connection;
    int64_t from_ms, to_ms;
    int32_t pid; /* 0: unknown; -1: it never reached a worker */
    const char *client;
};

static void emit_row(struct ww_writer *w, const struct row *row)
{
    struct ww_exchange *x = plain(row->id);

    x->connection = row->connection;
    x->started_us = T0 + row->from_ms * 1000;
    x->connected_us = x->started_us + 500;
    x->accepted_us = x->started_us + 1500;
    x->answered_us = x->started_us + 3500;
    x->ended_us = T0 + row->to_ms * 1000;
    x->worker.pid = row->pid > 0 ? row->pid : 0;
    x->by = row->pid > 0 ? WW_BY_KERNEL : (row->pid == 0 ? WW_BY_UNKNOWN : WW_BY_NOBODY);
    x->client = ww_str_c(row->client);
    emit(w, x);
}

static void splits_are_what_sql_can_say(void **state)
{
    static const struct row rows[] = {
        { 1, 1, 0, 10, 11, "10.0.0.1" },
        { 2, 1, 20, 30, 12, "10.0.0.1" }, /* split */
        { 3, 1, 40, 50, 12, "10.0.0.1" },
        { 4, 1, 60, 70, 0, "10.0.0.1" }, /* not known */
        { 5, 1, 80, 90, 11, "10.0.0.1" },
        { 6, 2, 100, 110, 12, "10.0.0.1" }, /* by address */
        { 7, 3, 0, 500, 11, "10.0.0.2" },
        { 8, 4, 100, 200, 12, "10.0.0.2" }, /* overlap */
        { 9, 5, 0, 10, 11, "10.0.0.3" },
        { 10, 5, 20, 30, -1, "10.0.0.3" }, /* as if not sent */
        { 11, 5, 40, 50, 12, "10.0.0.3" },
    };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    char out[4096];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        emit_row(w, &rows[i]);
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT * FROM splits", out),
                        "connection|10.0.0.1|1|11|GET /cars|2|12|GET /cars|10.0\n"
                        "connection|10.0.0.3|9|11|GET /cars|11|12|GET /cars|30.0\n"
                        "address|10.0.0.1|5|11|GET /cars|6|12|GET /cars|10.0");
}

static void the_timeline_says_what_happened(void **state)
{
    static const struct row row = { 1, 1, 1500, 1510, 11, "10.0.0.1" };
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_worker worker = { .id = { .pid = 11, .start_ticks = 100 }, .slot = 3 };
    char out[4096];

    ww_writer_sink(w)->worker(ww_writer_sink(w), &worker);
    emit_row(w, &row);
    struct ww_exchange *cut = full(2, WW_STR("ab"), WW_STR("whole"));
    emit(w, cut);
    close_writer(w);
    assert_string_equal(
        query(p->path, "SELECT * FROM timeline", out),
        "1|22:13:21.500|10.0.0.1|1|11|3|GET|/cars|200|10.0|1.0|2.0|0|0||complete|"
        "kernel\n"
        "2|22:13:22.000|127.0.0.1|3|51463||GET|/cars?x='\"%00;--|200|10.0|0.1|0.1|"
        "1099511627776|5|request|upstream-cut|kernel");
}

static void connections_are_kept(void **state)
{
    const struct place *p = *state;
    struct ww_writer *w = writer_at(p->path);
    struct ww_connection c = { .id = 1, .peer = "127.0.0.1:41234", .opened_us = T0 };
    char out[4096];

    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    c.closed_us = T0 + 1;
    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    c = (struct ww_connection){ .id = 2, .peer = "[::1]:5", .opened_us = T0 };
    ww_writer_sink(w)->connection(ww_writer_sink(w), &c);
    close_writer(w);
    assert_string_equal(query(p->path, "SELECT * FROM connection", out),
                        "1|127.0.0.1:41234|1700000000000000|1700000000000001\n"
                        "2|[::1]:5|1700000000000000|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_comes_back),
        TEST(nothing_at_all_comes_back_as_nothing),
        TEST(every_end_and_source_comes_back),
        TEST(exchanges_come_in_order_of_time_then_id),
        TEST(the_run_comes_back_with_its_end),
        TEST(a_worker_that_changed_is_one_worker),
        TEST(a_payload_is_kept_once),
        TEST(equal_bodies_are_kept_once),
        TEST(what_another_source_said_comes_back),
        TEST(splits_are_what_sql_can_say),
        TEST(the_timeline_says_what_happened),
        TEST(connections_are_kept),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
