/* The JSON report, key by key: schema whichworker/report/1 has these keys and no others. */
#include "cars_verdict.h"

#include <whichworker/report.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <jansson.h>
#include <stdlib.h>

struct box {
    struct cars cars;
    struct ww_buf out;
    json_t *root;
};

static int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    ww_buf_init(&b->out, 1 << 20);
    cars_lost(&b->cars);
    *state = b;
    return 0;
}

static int close_box(void **state)
{
    struct box *b = *state;

    json_decref(b->root);
    ww_buf_release(&b->out);
    free(b);
    return 0;
}

static json_t *render(struct box *b)
{
    struct ww_report_style style = { .trace = WW_STR("cars.db"), .colour = true };

    ww_buf_clear(&b->out);
    ww_report_format_find(WW_STR("json"))->render(&b->cars.v, &style, &b->out);
    json_decref(b->root);
    b->root = json_loadb(b->out.ptr, b->out.len, JSON_ALLOW_NUL, NULL);
    assert_non_null(b->root);
    return b->root;
}

/* All of the names, separated by blanks, in this order, and nothing else. */
static void assert_keys(json_t *object, const char *names)
{
    ww_str rest = ww_str_c(names), name;
    void *at = json_object_iter(object);

    assert_true(json_is_object(object));
    while (ww_str_cut(&rest, ' ', &name)) {
        assert_non_null(at);
        assert_true(ww_str_eq(name, ww_str_c(json_object_iter_key(at))));
        at = json_object_iter_next(object, at);
    }
    assert_null(at);
}

static void assert_text(json_t *object, const char *key, const char *want)
{
    json_t *value = json_object_get(object, key);

    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), want);
}

static void assert_int(json_t *object, const char *key, json_int_t want)
{
    json_t *value = json_object_get(object, key);

    assert_true(json_is_integer(value));
    assert_int_equal(json_integer_value(value), want);
}

static void assert_null_at(json_t *object, const char *key)
{
    assert_true(json_is_null(json_object_get(object, key)));
}

static void assert_pids(json_t *array, json_int_t a, json_int_t b)
{
    assert_int_equal(json_array_size(array), 2);
    assert_int_equal(json_integer_value(json_array_get(array, 0)), a);
    assert_int_equal(json_integer_value(json_array_get(array, 1)), b);
}

static json_t *item(json_t *root, const char *key, size_t at)
{
    return json_array_get(json_object_get(root, key), at);
}

static void top_has_its_parts(void **state)
{
    json_t *root = render(*state);

    assert_keys(root, "schema summary attribution workers sessions splits findings");
    assert_text(root, "schema", "whichworker/report/1");
    json_t *s = json_object_get(root, "summary");
    assert_keys(s,
                "exchanges sessions splits findings verdict why upstream_connections schedule");
    assert_int(s, "exchanges", 6);
    assert_int(s, "sessions", 3);
    assert_int(s, "splits", 3);
    assert_int(s, "findings", 1);
    assert_text(s, "verdict", "fail");
    assert_text(s, "why", "1 confirmed finding");
    assert_text(s, "upstream_connections", "fresh");
    assert_text(s, "schedule", "natural");
}

static void attribution_counts_each_source(void **state)
{
    struct box *b = *state;

    b->cars.v.by[WW_BY_NOBODY] = 7;
    b->cars.v.by[WW_BY_PRELOAD] = 2;
    b->cars.v.by[WW_BY_HEADER] = 3;
    b->cars.v.by[WW_BY_AMBIGUOUS] = 4;
    b->cars.v.by[WW_BY_UNKNOWN] = 5;
    b->cars.v.coverage = 0.55;
    json_t *a = json_object_get(render(b), "attribution");
    assert_keys(a, "kernel preload header ambiguous unknown coverage");
    assert_int(a, "kernel", 6);
    assert_int(a, "preload", 2);
    assert_int(a, "header", 3);
    assert_int(a, "ambiguous", 4);
    assert_int(a, "unknown", 5);
    assert_true(json_is_real(json_object_get(a, "coverage")));
    assert_float_equal(json_real_value(json_object_get(a, "coverage")), 0.55, 1e-9);
}

static void workers_have_times_or_null(void **state)
{
    struct box *b = *state;

    b->cars.worker[1].worker.started_us = 0;
    json_t *root = render(b);
    json_t *w = item(root, "workers", 2);
    assert_int_equal(json_array_size(json_object_get(root, "workers")), 3);
    assert_keys(w, "pid slot started_at ended_at exchanges queue_wait_ms");
    assert_int(w, "pid", 51470);
    assert_int(w, "slot", 2);
    assert_text(w, "started_at", "2025-11-25T12:01:06.482000Z");
    assert_text(w, "ended_at", "2025-11-25T12:01:11.482000Z");
    assert_int(w, "exchanges", 1);
    json_t *wait = json_object_get(w, "queue_wait_ms");
    assert_keys(wait, "p50 p99");
    assert_float_equal(json_number_value(json_object_get(wait, "p50")), 0.25, 1e-9);
    assert_float_equal(json_number_value(json_object_get(wait, "p99")), 4.5, 1e-9);
    assert_null_at(item(root, "workers", 1), "started_at");
    assert_null_at(item(root, "workers", 0), "ended_at");
}

static void sessions_and_splits_name_each_other(void **state)
{
    json_t *root = render(*state);
    json_t *s = item(root, "sessions", 0);

    assert_int_equal(json_array_size(json_object_get(root, "sessions")), 3);
    assert_keys(s, "id key exchanges workers splits");
    assert_text(s, "id", "s1");
    assert_int(s, "exchanges", 4);
    assert_int(s, "splits", 2);
    assert_pids(json_object_get(s, "workers"), 51463, 51465);
    json_t *key = json_object_get(s, "key");
    assert_keys(key, "kind name value_hash");
    assert_text(key, "kind", "cookie");
    assert_text(key, "name", "session");
    assert_text(key, "value_hash", "mac:0123456789abcdef01234567");

    assert_int_equal(json_array_size(json_object_get(root, "splits")), 3);
    json_t *split = item(root, "splits", 2);
    assert_keys(split, "session from to");
    assert_text(split, "session", "s2");
    assert_keys(json_object_get(split, "from"), "exchange pid");
    assert_keys(json_object_get(split, "to"), "exchange pid");
    assert_int(json_object_get(split, "from"), "exchange", 5);
    assert_int(json_object_get(split, "from"), "pid", 51463);
    assert_int(json_object_get(split, "to"), "exchange", 6);
    assert_int(json_object_get(split, "to"), "pid", 51470);
}

static void a_finding_is_whole(void **state)
{
    json_t *f = item(render(*state), "findings", 0);

    assert_keys(f, "id guarantee grade cause session method resource route place workers "
                   "message fix table "
                   "masked evidence");
    assert_text(f, "id", "f1");
    assert_text(f, "guarantee", "read-your-writes");
    assert_text(f, "grade", "confirmed");
    assert_text(f, "cause", "worker-memory");
    assert_text(f, "session", "s1");
    assert_text(f, "method", "GET");
    assert_text(f, "resource", "/cars");
    assert_text(f, "route", "/cars");
    assert_text(f, "place", "/name");
    assert_pids(json_object_get(f, "workers"), 51463, 51465);
    assert_true(json_is_string(json_object_get(f, "message")));
    assert_true(json_is_string(json_object_get(f, "fix")));
    json_t *t = json_object_get(f, "table");
    assert_keys(t, "changed same");
    assert_keys(json_object_get(t, "changed"), "kept lost");
    assert_int(json_object_get(t, "changed"), "kept", 1);
    assert_int(json_object_get(t, "changed"), "lost", 132);
    assert_keys(json_object_get(t, "same"), "kept lost");
    assert_int(json_object_get(t, "same"), "kept", 168);
    assert_int(json_object_get(t, "same"), "lost", 0);
    json_t *masked = json_object_get(f, "masked");
    assert_int_equal(json_array_size(masked), 1);
    assert_string_equal(json_string_value(json_array_get(masked, 0)),
                        "/0/at: differs within one worker");
}

static void evidence_points_at_its_exchange(void **state)
{
    json_t *all = json_object_get(item(render(*state), "findings", 0), "evidence");
    json_t *e = json_array_get(all, 1);

    assert_int_equal(json_array_size(all), 3);
    assert_keys(e, "exchange pid role method target status at value");
    assert_int(e, "exchange", 3);
    assert_int(e, "pid", 51465);
    assert_text(e, "role", "read-lost");
    assert_text(e, "method", "GET");
    assert_text(e, "target", "/cars?page=1");
    assert_int(e, "status", 200);
    assert_text(e, "at", "2025-11-25T12:01:07.492000Z");
    assert_text(e, "value", "Figo missing");
    assert_null_at(json_array_get(all, 2), "value");
}

static void an_unknown_worker_is_null(void **state)
{
    struct box *b = *state;

    b->cars.step[2].worker = WW_NO_WORKER;
    json_t *root = render(b);
    assert_null_at(json_array_get(json_object_get(item(root, "findings", 0), "evidence"), 1),
                   "pid");
    assert_null_at(json_object_get(item(root, "splits", 0), "to"), "pid");
}

/* The example between the page's fences. */
static json_t *documented(void)
{
    struct ww_buf page;
    FILE *f = fopen(REPORT_FORMAT, "r");

    assert_non_null(f);
    ww_buf_init(&page, 65536);
    page.len = fread(ww_buf_room(&page, 65536), 1, 65536, f);
    fclose(f);
    ptrdiff_t begin = ww_str_find(ww_buf_str(&page), WW_STR("```json\n"));
    assert_true(begin >= 0);
    ww_str example = ww_str_from(ww_buf_str(&page), (size_t)begin + 8);
    ptrdiff_t end = ww_str_find(example, WW_STR("\n```"));
    assert_true(end > 0);
    json_t *j = json_loadb(example.ptr, (size_t)end, 0, NULL);
    ww_buf_release(&page);
    assert_non_null(j);
    return j;
}

/* The same keys in the same order, all the way down; of a list the first item. */
static void assert_same_shape(json_t *got, json_t *want)
{
    if (json_is_array(want) && json_array_size(want) > 0) {
        assert_true(json_is_array(got));
        assert_same_shape(json_array_get(got, 0), json_array_get(want, 0));
    }
    if (!json_is_object(want))
        return;
    void *a = json_object_iter(got), *b = json_object_iter(want);
    for (; b != NULL; b = json_object_iter_next(want, b)) {
        assert_non_null(a);
        assert_string_equal(json_object_iter_key(a), json_object_iter_key(b));
        assert_same_shape(json_object_iter_value(a), json_object_iter_value(b));
        a = json_object_iter_next(got, a);
    }
    assert_null(a);
}

static void the_documented_example_is_true(void **state)
{
    json_t *want = documented();

    assert_same_shape(render(*state), want);
    json_decref(want);
}

static void hostile_bytes_stay_in_their_strings(void **state)
{
    struct box *b = *state;

    b->cars.step[2].target = ww_str_n("/\"}]\\\n\r\t\0\x1b[31m\xff\xc3\x28</script>", 26);
    b->cars.session[0].key_name = WW_STR("\",\"schema\":\"x");
    b->cars.finding[0].message = WW_STR("\xed\xa0\x80 \xf4\x90\x80\x80");
    json_t *root = render(b);
    assert_keys(root, "schema summary attribution workers sessions splits findings");
    assert_text(json_object_get(item(root, "sessions", 0), "key"), "name", "\",\"schema\":\"x");
    for (size_t i = 0; i < b->out.len; i++)
        assert_true(b->out.ptr[i] == '\n' || (unsigned char)b->out.ptr[i] >= 0x20);
}

static void an_empty_recording_has_empty_lists(void **state)
{
    static const char *const lists[] = { "workers", "sessions", "splits", "findings" };
    struct box *b = *state;

    b->cars.v = (struct ww_verdict){ .coverage = 1, .value = WW_INCONCLUSIVE };
    json_t *root = render(b);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_true(json_is_array(json_object_get(root, lists[i])));
        assert_int_equal(json_array_size(json_object_get(root, lists[i])), 0);
    }
    json_t *summary = json_object_get(root, "summary");
    assert_text(summary, "verdict", "inconclusive");
    assert_null_at(summary, "why");
    assert_true(
        json_is_number(json_object_get(json_object_get(root, "attribution"), "coverage")));
}

static void formats_are_found_by_name(void **state)
{
    assert_string_equal(ww_report_format_find(WW_STR("text"))->name, "text");
    assert_null(ww_report_format_find(WW_STR("xml")));
    assert_null(ww_report_format_find(WW_STR("")));
    assert_null(ww_report_format_find(WW_STR("tex")));
}

static void exit_status_follows_the_verdict(void **state)
{
    struct box *b = *state;

    b->cars.v.value = WW_PASS;
    assert_int_equal(ww_report_exit_status(&b->cars.v), 0);
    b->cars.v.value = WW_FAIL;
    assert_int_equal(ww_report_exit_status(&b->cars.v), 1);
    b->cars.v.value = WW_INCONCLUSIVE;
    assert_int_equal(ww_report_exit_status(&b->cars.v), 2);
}

#define WITH_BOX(f) cmocka_unit_test_setup_teardown(f, open_box, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(top_has_its_parts),
        WITH_BOX(attribution_counts_each_source),
        WITH_BOX(workers_have_times_or_null),
        WITH_BOX(sessions_and_splits_name_each_other),
        WITH_BOX(a_finding_is_whole),
        WITH_BOX(evidence_points_at_its_exchange),
        WITH_BOX(an_unknown_worker_is_null),
        WITH_BOX(the_documented_example_is_true),
        WITH_BOX(hostile_bytes_stay_in_their_strings),
        WITH_BOX(an_empty_recording_has_empty_lists),
        cmocka_unit_test(formats_are_found_by_name),
        WITH_BOX(exit_status_follows_the_verdict),
    };
    return cmocka_run_group_tests_name("report json", tests, NULL, NULL);
}
