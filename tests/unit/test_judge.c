/* The judge over the founding story and over traces that show nothing. */
#include <whichworker/judge.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

#define EPOCH_US (1700000000 * (int64_t)1000000)

static void sends(struct ww_exchange *x, ww_str body)
{
    x->request_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Content-Type"),
                  WW_STR("application/json"));
}

static void answers(struct ww_exchange *x, unsigned status, const char *type, ww_str body)
{
    x->status = status;
    x->response_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"), ww_str_c(type));
}

/* ---- the founding story, with cookies as the recorder hands them over */

struct story {
    struct ww_judge *judge;
    int64_t now;
    uint64_t id;
    struct ww_mac_key key;
};

/* set: a cookie value as Flask writes it, or NULL. */
static void tell(struct story *s, int32_t pid, const char *method, const char *target,
                 const char *request, const char *response, const char *cookie, const char *set)
{
    struct ww_exchange *x = ww_exchange_new(1 << 20);

    x->id = ++s->id;
    x->connection = 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_str_c(method);
    x->target = ww_str_c(target);
    x->started_us = s->now += 1000;
    x->ended_us = s->now += 1000;
    x->end = WW_END_COMPLETE;
    x->status = 200;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = pid, .start_ticks = 1 };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"),
                  WW_STR("Basic cXhmMjpxeGYy"));
    if (cookie != NULL) {
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"),
                      ww_arena_printf(&x->arena, "session=%s", cookie));
    }
    if (request != NULL)
        sends(x, ww_str_c(request));
    answers(x, 200, "application/json", ww_str_c(response));
    if (set != NULL) {
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                      ww_arena_printf(&x->arena, "session=%s; HttpOnly; Path=/", set));
    }
    ww_exchange_redact(x, &s->key);
    ww_judge_exchange(s->judge, x);
    ww_exchange_free(x);
}

/* {"cars":["swift"]} and {"cars":["swift","figo"]}, by two keys, as itsdangerous writes them.
 */
#define EARLY_A "eyJjYXJzIjpbInN3aWZ0Il19.ZVPxAA.aaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LATE_A  "eyJjYXJzIjpbInN3aWZ0IiwiZmlnbyJdfQ.ZVPxAQ.bbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define EARLY_B "eyJjYXJzIjpbInN3aWZ0Il19.ZVPxAg.ccccccccccccccccccccccccccc"

#define OLD_CARS "{\"cars_list\":[{\"name\":\"swift\"}],\"successful\":true}"
#define NEW_CARS                                                                               \
    "{\"cars_list\":[{\"name\":\"swift\"},{\"name\":\"figo\"}],\"successful\":true}"
#define FIGO "{\"name\":\"figo\",\"brand\":\"Ford\"}"

static void story_begin(struct story *s)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY, .min_attributed = 0.9 };

    *s = (struct story){ .judge = ww_judge_new(&cfg), .now = EPOCH_US };
}

static void register_cars(struct story *s, int32_t other, const char *elsewhere)
{
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[]}", LATE_A, NULL);
    tell(s, 51463, "POST", "/register/car", "{\"customer\":\"Rohan\"}", "{\"ok\":true}", LATE_A,
         NULL);
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[\"Rohan\"]}", LATE_A, NULL);
    tell(s, other, "GET", "/register/", NULL, elsewhere, LATE_A, NULL);
    tell(s, 51463, "GET", "/register/", NULL, "{\"registered\":[\"Rohan\"]}", LATE_A, NULL);
}

static void the_founding_story_is_told(void **unused)
{
    struct story s;

    story_begin(&s);
    tell(&s, 51463, "GET", "/cars", NULL, OLD_CARS, NULL, EARLY_A);
    tell(&s, 51463, "POST", "/cars/add", FIGO, "{\"successful\":true}", EARLY_A, LATE_A);
    tell(&s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    tell(&s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    register_cars(&s, 51466, "{\"registered\":[]}");
    tell(&s, 51465, "GET", "/cars", NULL, OLD_CARS, LATE_A, EARLY_B);

    const struct ww_verdict *v = ww_judge_finish(s.judge);
    bool seen[WW_GUARANTEES][WW_CAUSES] = { 0 };
    assert_int_equal(v->value, WW_FAIL);
    assert_int_equal(v->sessions, 1);
    assert_int_equal(v->splits, 3);
    assert_int_equal(v->pairs, v->steps - 1);
    assert_int_equal(v->routes, 4); /* two lists, two ways to add to them */
    assert_int_equal(v->findings, 3);
    assert_null(v->doubt.ptr);
    for (size_t i = 0; i < v->findings; i++) {
        assert_true(v->finding[i].fails);
        assert_int_equal(v->finding[i].grade, WW_CONFIRMED);
        assert_in_range(v->finding[i].evidences, 2, 3);
        seen[v->finding[i].guarantee][v->finding[i].cause] = true;
    }
    assert_true(seen[WW_SESSION_RESET][WW_CAUSE_PER_WORKER_SECRET]);
    assert_true(seen[WW_READ_YOUR_WRITES][WW_CAUSE_PER_WORKER_SECRET]);
    assert_true(seen[WW_READ_YOUR_WRITES][WW_CAUSE_WORKER_MEMORY]);
    assert_int_equal(v->guarantee[WW_READ_YOUR_WRITES], WW_FAIL);
    assert_int_equal(v->guarantee[WW_STATUS_FLIP], WW_PASS);
    ww_judge_free(s.judge);
}

static void tell_the_mended_story(struct story *s, int32_t other)
{
    story_begin(s);
    tell(s, 51463, "GET", "/cars", NULL, OLD_CARS, NULL, EARLY_A);
    tell(s, other, "POST", "/cars/add", FIGO, "{\"successful\":true}", EARLY_A, LATE_A);
    tell(s, 51463, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    tell(s, other, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
    register_cars(s, other, "{\"registered\":[\"Rohan\"]}");
    tell(s, other, "GET", "/cars", NULL, NEW_CARS, LATE_A, NULL);
}

static void one_worker_passes(void **unused)
{
    struct story s;

    tell_the_mended_story(&s, 51463);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_PASS);
    assert_int_equal(v->findings, 0);
    assert_int_equal(v->splits, 0);
    ww_judge_free(s.judge);
}

static void shared_key_and_list_pass_with_splits_counted(void **unused)
{
    struct story s;

    tell_the_mended_story(&s, 51465);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_PASS);
    assert_int_equal(v->findings, 0);
    assert_int_equal(v->splits, 7);
    ww_judge_free(s.judge);
}

static void an_empty_trace_is_inconclusive(void **unused)
{
    struct story s;

    story_begin(&s);
    const struct ww_verdict *v = ww_judge_finish(s.judge);
    assert_int_equal(v->value, WW_INCONCLUSIVE);
    assert_true(v->why.len > 0);
    assert_true(v->doubt.len > 0);
    ww_judge_free(s.judge);
}

static void lost_exchanges_are_inconclusive(void **unused)
{
    struct story s;
    struct ww_run run = { .lost = 3 };

    tell_the_mended_story(&s, 51465);
    ww_judge_run(s.judge, &run);
    assert_int_equal(ww_judge_finish(s.judge)->value, WW_INCONCLUSIVE);
    ww_judge_free(s.judge);
}

static void a_recording_that_lost_all_blames_the_recording(void **unused)
{
    struct ww_run run = { .lost = 3 };
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY, .min_attributed = 0.9 };
    struct ww_judge *j = ww_judge_new(&cfg);

    ww_judge_run(j, &run);
    const struct ww_verdict *v = ww_judge_finish(j);
    assert_int_equal(v->value, WW_INCONCLUSIVE);
    assert_non_null(strstr(v->why.ptr, "3 exchanges could not be recorded"));
    ww_judge_free(j);
}

static void tokens_and_values_agree(void **unused)
{
    enum ww_fail_on f;

    for (int i = WW_FAIL_ON_NONE; i <= WW_FAIL_ON_SPLIT; i++) {
        assert_true(ww_fail_on_find(ww_str_c(ww_fail_on_token((enum ww_fail_on)i)), &f));
        assert_int_equal(f, i);
    }
    assert_false(ww_fail_on_find(WW_STR("sometimes"), &f));
    assert_string_equal(ww_guarantee_token(WW_STATUS_FLIP), "status-flip");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_founding_story_is_told),
        cmocka_unit_test(one_worker_passes),
        cmocka_unit_test(shared_key_and_list_pass_with_splits_counted),
        cmocka_unit_test(an_empty_trace_is_inconclusive),
        cmocka_unit_test(lost_exchanges_are_inconclusive),
        cmocka_unit_test(a_recording_that_lost_all_blames_the_recording),
        cmocka_unit_test(tokens_and_values_agree),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
