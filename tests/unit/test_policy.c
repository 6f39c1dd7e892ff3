/* Thresholds, baselines, and what both make of a verdict. */
#include "check.h"
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW_US ((int64_t)1800000000 * 1000000) /* 2027-01-15 */

/* A verdict with two findings that fail, made by hand: the policy reads nothing else of it. */
struct scene {
    struct ww_verdict v;
    struct ww_finding finding[2];
    ww_str route[3];
    struct config config;
    struct policy policy;
    char path[64];
};

static void set_scene(struct scene *s)
{
    *s = (struct scene){
        .finding = { { .id = "f1",
                       .guarantee = WW_READ_YOUR_WRITES,
                       .grade = WW_CONFIRMED,
                       .method = WW_STR("GET"),
                       .route = WW_STR("/cars"),
                       .place = WW_STR("/name"),
                       .message = WW_STR("the car is gone"),
                       .fails = true },
                     { .id = "f2",
                       .guarantee = WW_STATUS_FLIP,
                       .grade = WW_LIKELY,
                       .method = WW_STR("GET"),
                       .route = WW_STR("/me"),
                       .place = WW_STR("status"),
                       .message = WW_STR("refused"),
                       .fails = true } },
        .route = { WW_STR("GET /cars"), WW_STR("POST /cars"), WW_STR("GET /me") },
        .path = "/tmp/ww-policy.XXXXXX",
    };
    s->v = (struct ww_verdict){
        .finding = s->finding,
        .findings = 2,
        .route = s->route,
        .routes = 3,
        .steps = 40,
        .sessions = 4,
        .splits = 9,
        .pairs = 36,
        .workers = 2,
        .coverage = 0.97,
        .value = WW_FAIL,
        .why = WW_STR("the car is gone"),
        .guarantee = { [WW_READ_YOUR_WRITES] = WW_FAIL, [WW_STATUS_FLIP] = WW_FAIL }
    };
    s->config.judge.fail_on = WW_FAIL_ON_LIKELY;
    close(mkstemp(s->path));
}

static void strike(struct scene *s)
{
    policy_release(&s->policy);
    unlink(s->path);
}

static void write_baseline(const struct scene *s, const char *text)
{
    FILE *f = fopen(s->path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void apply(struct scene *s, const struct baseline *b, const char *trouble)
{
    const struct policy_input in = {
        .config = &s->config, .baseline = b, .trouble = ww_str_c(trouble), .now_us = NOW_US
    };

    policy_release(&s->policy);
    policy_apply(&in, &s->v, &s->policy);
}

static enum ww_verdict_value required(struct scene *s, const char *list)
{
    s->config.requirements.n = 0;
    assert_int_equal(requirements_add(&s->config.requirements, ww_str_c(list), NULL), WW_OK);
    apply(s, NULL, NULL);
    return s->policy.verdict.value;
}

/* ---- thresholds */

static void no_findings(struct scene *s)
{
    s->v.findings = 0;
    s->v.value = WW_PASS;
    s->v.why = WW_STR("9 splits, no state lost");
    for (size_t i = 0; i < WW_GUARANTEES; i++)
        s->v.guarantee[i] = WW_PASS;
}

static void a_lower_bound_that_is_not_reached_is_inconclusive(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    no_findings(&s);
    assert_int_equal(required(&s, "sessions>=4"), WW_PASS);
    assert_int_equal(required(&s, "sessions>4"), WW_INCONCLUSIVE);
    assert_int_equal(required(&s, "coverage >= 99%"), WW_INCONCLUSIVE);
    assert_slice(s.policy.verdict.why, "coverage >= 99% is required, and it is 0.97");
    assert_int_equal(required(&s, "coverage>=0.97"), WW_PASS);
    assert_int_equal(required(&s, "workers==3"), WW_INCONCLUSIVE);
    strike(&s);
}

static void an_upper_bound_that_is_passed_fails(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    no_findings(&s);
    assert_int_equal(required(&s, "split-rate<=0.25"), WW_PASS);
    assert_int_equal(required(&s, "split_rate<0.25"), WW_FAIL);
    assert_int_equal(required(&s, "workers==1"), WW_FAIL);
    assert_int_equal(required(&s, "findings<=0"), WW_PASS);
    assert_int_equal(required(&s, "workers==1,sessions>=5"), WW_FAIL);
    assert_slice(s.policy.verdict.why, "workers==1 is required, and it is 2");
    assert_int_equal(required(&s, "sessions>=5,workers==1"), WW_FAIL);
    s.v.findings = 2;
    assert_int_equal(required(&s, "read-your-writes<1"), WW_FAIL);
    strike(&s);
}

static void what_cannot_be_measured_is_too_little(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    no_findings(&s);
    s.v.pairs = 0;
    assert_int_equal(required(&s, "split-rate<0.2"), WW_INCONCLUSIVE);
    assert_slice(s.policy.requirement[0].actual, "unknown");
    strike(&s);
}

static void a_threshold_that_makes_no_sense_is_refused_with_a_hint(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } wrong[] = {
        { "coverge>=1", "did you mean 'coverage'" }, { "sessions", "compares nothing" },
        { "sessions>=many", "is not a number" },     { "sessions>=", "is not a number" },
        { ">=1", "nothing is measured as ''" },      { "sessions>=-1", "is not a number" },
        { "coverage>=99", "a share from 0 to 1" },   { "split-rate<20", "'20' is more" },
        { "sessions>=1,", "compares nothing" },      { "sessions!=1", "nothing is measured" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct requirements r = { 0 };
        struct ww_err err = { 0 };

        assert_int_equal(requirements_add(&r, ww_str_c(wrong[i].text), &err), WW_EUSAGE);
        assert_non_null(strstr(err.text, wrong[i].says));
    }
}

/* ---- the baseline */

#define HEAD "whichworker-baseline: 1\nknown:\n"
#define CARS                                                                                   \
    "  - guarantee: read-your-writes\n    method: GET\n    route: /cars\n    place: /name\n"
#define ME "  - {guarantee: status-flip, method: GET, route: /me, place: status, "

static void known_findings_do_not_count_until_they_expire(void **state)
{
    struct scene s;
    struct ww_err err = { 0 };

    (void)state;
    set_scene(&s);
    write_baseline(&s, HEAD CARS "    reason: Redis comes\n    expires: 2027-01-15\n" ME
                                 "reason: r, expires: never}\n");

    struct baseline *b = baseline_load(ww_str_c(s.path), false, &err);

    assert_non_null(b);
    apply(&s, b, NULL);
    assert_int_equal(s.policy.verdict.value, WW_PASS);
    assert_int_equal(s.policy.verdict.guarantee[WW_READ_YOUR_WRITES], WW_PASS);
    assert_int_equal(s.policy.standing[0].is, WW_ACCEPTED);
    assert_slice(s.policy.standing[0].why, "Redis comes");
    assert_int_equal(s.policy.notes.len, 0);
    baseline_free(b);

    write_baseline(&s, HEAD CARS "    reason: Redis comes\n    expires: 2027-01-14\n" ME
                                 "reason: r, expires: never}\n");
    b = baseline_load(ww_str_c(s.path), false, &err);
    assert_non_null(b);
    apply(&s, b, NULL);
    assert_int_equal(s.policy.verdict.value, WW_FAIL);
    assert_int_equal(s.policy.verdict.guarantee[WW_READ_YOUR_WRITES], WW_FAIL);
    assert_int_equal(s.policy.verdict.guarantee[WW_STATUS_FLIP], WW_PASS);
    assert_slice(ww_buf_str(&s.policy.notes),
                 "the baseline's entry expired on 2027-01-14, and counts again: "
                 "read-your-writes at GET /cars, /name\n");
    baseline_free(b);
    strike(&s);
}

static void another_place_is_another_finding(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    s.finding[0].place = WW_STR("/price");
    s.v.findings = 1;
    write_baseline(&s, HEAD CARS "    reason: r\n    expires: never\n");

    struct baseline *b = baseline_load(ww_str_c(s.path), false, NULL);

    apply(&s, b, NULL);
    assert_int_equal(s.policy.verdict.value, WW_FAIL);
    assert_slice(ww_buf_str(&s.policy.notes),
                 "the baseline's entry is stale, nothing of it was seen: "
                 "read-your-writes at GET /cars, /name\n");
    baseline_free(b);
    strike(&s);
}

static void an_entry_is_stale_only_if_it_was_tried(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    no_findings(&s);
    write_baseline(&s, HEAD CARS "    reason: r\n    expires: never\n");

    struct baseline *b = baseline_load(ww_str_c(s.path), false, NULL);

    s.v.routes = 0;
    apply(&s, b, NULL);
    assert_int_equal(s.policy.notes.len, 0);
    s.v.routes = 3;
    apply(&s, b, "it was interrupted");
    assert_int_equal(s.policy.notes.len, 0);
    apply(&s, b, NULL);
    assert_true(s.policy.notes.len > 0);
    baseline_free(b);
    strike(&s);
}

static void an_update_keeps_reasons_and_adds_what_fails(void **state)
{
    struct scene s;
    struct ww_err err = { 0 };

    (void)state;
    set_scene(&s);
    s.finding[1].route = WW_STR("/\"me\"\n: # \x01 \xff");
    write_baseline(&s, HEAD CARS "    reason: Redis comes\n    expires: 2020-01-01\n" ME
                                 "reason: gone, expires: never}\n");

    struct baseline *b = baseline_load(ww_str_c(s.path), false, &err);

    assert_int_equal(baseline_update(b, ww_str_c(s.path), &s.v, NOW_US, &err), WW_OK);
    baseline_free(b);
    b = baseline_load(ww_str_c(s.path), false, &err);
    assert_non_null(b);
    assert_int_equal(baseline_count(b), 2); /* GET /me was asked for, and is no longer there */
    assert_string_equal(baseline_at(b, 0)->reason, "Redis comes");
    assert_string_equal(baseline_at(b, 0)->expires, "2027-04-15");
    assert_string_equal(baseline_at(b, 1)->method, "GET");
    assert_int_equal(baseline_at(b, 1)->guarantee, WW_STATUS_FLIP);
    baseline_free(b);
    strike(&s);
}

static void a_baseline_that_is_none_is_refused_with_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } wrong[] = {
        { "", "" },
        { "known: []\n", "whichworker-baseline" },
        { "whichworker-baseline: 2\nknown: []\n", "version 2" },
        { HEAD CARS "    reason: r\n", "expires" },
        { HEAD CARS "    reason: r\n    expires: soon\n", "'soon'" },
        { HEAD CARS "    reason: r\n    expires: 2027-02-30\n", "2027-02-30" },
        { HEAD CARS "    reason: r\n    expires: 2027-2-3\n", "2027-2-3" },
        { HEAD CARS "    reason: r\n    expires: never\n    until: never\n",
          "key: until in mapping (line:" },
        { HEAD
          "  - &a {guarantee: status-flip, method: G, route: /, reason: r, expires: never}\n"
          "  - *a\n",
          "lias" },
        { "\t- {", "" },
    };
    struct scene s;

    (void)state;
    set_scene(&s);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ww_err err = { 0 };

        write_baseline(&s, wrong[i].text);
        assert_null(baseline_load(ww_str_c(s.path), true, &err));
        assert_int_equal(err.code, WW_EUSAGE);
        assert_non_null(strstr(err.text, wrong[i].says));
    }
    strike(&s);
}

/* ---- together */

static void trouble_is_inconclusive_but_what_failed_has_failed(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    apply(&s, NULL, "the backend died");
    assert_int_equal(s.policy.verdict.value, WW_FAIL);
    no_findings(&s);
    apply(&s, NULL, "the backend died");
    assert_int_equal(s.policy.verdict.value, WW_INCONCLUSIVE);
    assert_int_equal(s.policy.verdict.guarantee[WW_SESSION_RESET], WW_INCONCLUSIVE);
    assert_slice(s.policy.verdict.why, "the backend died");
    strike(&s);
}

static void several_workers_and_no_split_are_no_pass(void **state)
{
    struct scene s;
    struct policy_input in = { .now_us = NOW_US, .ready = 2 };

    (void)state;
    set_scene(&s);
    no_findings(&s);
    in.config = &s.config;
    policy_apply(&in, &s.v, &s.policy);
    assert_int_equal(s.policy.verdict.value, WW_PASS);
    policy_release(&s.policy);
    s.v.splits = 0;
    policy_apply(&in, &s.v, &s.policy);
    assert_int_equal(s.policy.verdict.value, WW_INCONCLUSIVE);
    assert_int_equal(s.policy.verdict.guarantee[0], WW_INCONCLUSIVE);
    policy_release(&s.policy);
    in.ready = 1;
    policy_apply(&in, &s.v, &s.policy);
    assert_int_equal(s.policy.verdict.value, WW_PASS);
    strike(&s);
}

static void what_is_allowed_does_not_count(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    s.v.findings = 1;
    s.finding[0].fails = false;
    s.finding[0].allowed = true;
    s.finding[0].policy = WW_STR("allowed at line 3");
    s.v.value = WW_PASS;
    apply(&s, NULL, NULL);
    assert_int_equal(s.policy.verdict.value, WW_PASS);
    assert_int_equal(s.policy.standing[0].is, WW_ACCEPTED);
    assert_slice(s.policy.standing[0].why, "allowed at line 3");
    strike(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_bound_that_is_not_reached_is_inconclusive),
        cmocka_unit_test(an_upper_bound_that_is_passed_fails),
        cmocka_unit_test(what_cannot_be_measured_is_too_little),
        cmocka_unit_test(a_threshold_that_makes_no_sense_is_refused_with_a_hint),
        cmocka_unit_test(known_findings_do_not_count_until_they_expire),
        cmocka_unit_test(another_place_is_another_finding),
        cmocka_unit_test(an_entry_is_stale_only_if_it_was_tried),
        cmocka_unit_test(an_update_keeps_reasons_and_adds_what_fails),
        cmocka_unit_test(a_baseline_that_is_none_is_refused_with_the_place),
        cmocka_unit_test(trouble_is_inconclusive_but_what_failed_has_failed),
        cmocka_unit_test(several_workers_and_no_split_are_no_pass),
        cmocka_unit_test(what_is_allowed_does_not_count),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
