/* The JUnit report: suites, cases, names that stay, and what is failed, skipped, or an error.
 */
#include "report_box.h"

/* The testcase of this class and name, all of it. */
static ww_str test_case(ww_str xml, const char *class, const char *name)
{
    char start[256];

    snprintf(start, sizeof(start), "<testcase classname=\"whichworker.%s\" name=\"%s\"", class,
             name);
    ptrdiff_t at = ww_str_find(xml, ww_str_c(start));
    if (at < 0)
        fail_msg("no %s in:\n%.*s", start, (int)xml.len, xml.ptr);
    xml = ww_str_from(xml, (size_t)at + strlen(start));
    if (ww_str_starts(xml, WW_STR("/>")))
        return WW_STR("");
    return ww_str_upto(xml, (size_t)ww_str_find(xml, WW_STR("</testcase>")));
}

static void a_pair_of_routes_that_lost_a_write_fails(void **state)
{
    ww_str xml = render(*state, "junit");
    ww_str c = test_case(xml, "read-your-writes", "POST /cars/add -&gt; GET /cars");

    assert_has(c,
               "<failure type=\"worker-memory\" message=\"confirmed: POST /cars/add succeeded");
    assert_has(c, "read-lost: Figo missing");
    assert_has(c, "what to do");
    assert_has(xml,
               "<testsuite name=\"read-your-writes\" tests=\"1\" failures=\"1\" errors=\"0\" "
               "skipped=\"0\" timestamp=\"2025-11-25T12:01:07\" time=\"5.000\">");
    assert_has(xml, "<property name=\"upstream_connections\" value=\"fresh\"/>");
}

/* s2 asked for /users on two workers; s1 for /cars on two, and on one again. */
static void what_was_put_to_the_test_passes(void **state)
{
    ww_str xml = render(*state, "junit");

    assert_int_equal(test_case(xml, "monotonic-reads", "GET /users").len, 0);
    assert_int_equal(test_case(xml, "monotonic-reads", "GET /cars").len, 0);
    assert_int_equal(test_case(xml, "session-reset", "GET /users").len, 0);
}

static void what_never_changed_its_worker_is_skipped(void **state)
{
    struct box *b = *state;

    for (size_t i = 0; i < b->cars.v.steps; i++)
        b->cars.step[i].worker = 0;
    ww_str c = test_case(render(b, "junit"), "monotonic-reads", "GET /users");
    assert_has(c,
               "<skipped>inconclusive: no session was seen to go from one worker to another");
}

static void overlapping_exchanges_put_nothing_to_the_test(void **state)
{
    struct box *b = *state;

    b->cars.step[4].ended_us = b->cars.step[5].ended_us;
    assert_has(test_case(render(b, "junit"), "monotonic-reads", "GET /users"), "<skipped>");
}

static void one_worker_alone_passes(void **state)
{
    struct box *b = *state;

    cars_begin(&b->cars);
    b->cars.v.workers = 1;
    cars_step(&b->cars, 0, 0, "GET", "/cars", 200);
    cars_step(&b->cars, 0, 0, "GET", "/cars", 200);
    assert_int_equal(test_case(render(b, "junit"), "monotonic-reads", "GET /cars").len, 0);
}

static void doubt_skips_all_that_did_not_fail(void **state)
{
    struct box *b = *state;

    b->cars.v.doubt = WW_STR("the worker of only 3% of the exchanges is known");
    ww_str xml = render(b, "junit");
    assert_has(test_case(xml, "monotonic-reads", "GET /users"),
               "<skipped>inconclusive: the worker of only 3%");
    assert_has(test_case(xml, "read-your-writes", "POST /cars/add -&gt; GET /cars"),
               "<failure");
}

static void an_empty_trace_has_cases_that_are_skipped(void **state)
{
    struct box *b = *state;

    cars_begin(&b->cars);
    b->cars.v.value = WW_INCONCLUSIVE;
    b->cars.v.why = b->cars.v.doubt = WW_STR("no request reached a worker");
    for (size_t g = 0; g < WW_GUARANTEES; g++)
        b->cars.v.guarantee[g] = WW_INCONCLUSIVE;
    ww_str xml = render(b, "junit");
    assert_int_equal(occurrences(xml, "<skipped>inconclusive: no request reached a worker"),
                     WW_GUARANTEES);
    assert_has(xml, "<testsuites name=\"whichworker\" tests=\"4\" failures=\"0\"");
}

static void names_are_the_same_whatever_the_pids_and_times(void **state)
{
    struct box *b = *state;
    struct ww_buf names[2];

    for (int run = 0; run < 2; run++) {
        ww_buf_init(&names[run], SIZE_MAX);
        for (ww_str rest = render(b, "junit"), line; ww_str_cut(&rest, '\n', &line);)
            if (ww_str_find(line, WW_STR("<testcase")) >= 0)
                ww_buf_add(&names[run], line);
        for (size_t i = 0; i < b->cars.v.workers; i++)
            b->cars.worker[i].worker.id.pid += 1000;
        for (size_t i = 0; i < b->cars.v.steps; i++) {
            b->cars.step[i].started_us += 1000000000;
            b->cars.step[i].ended_us += 1000000000;
        }
    }
    assert_true(ww_str_eq(ww_buf_str(&names[0]), ww_buf_str(&names[1])));
    ww_buf_release(&names[0]);
    ww_buf_release(&names[1]);
}

static void what_is_accepted_is_skipped_with_its_reason(void **state)
{
    struct box *b = *state;

    b->standing[0] = (struct ww_report_standing){ .is = WW_ACCEPTED,
                                                  .why = WW_STR("until the move to Redis") };
    b->style.policy.standing = b->standing;
    b->cars.v.value = WW_PASS;
    ww_str c =
        test_case(render(b, "junit"), "read-your-writes", "POST /cars/add -&gt; GET /cars");
    assert_has(c, "<skipped>accepted: until the move to Redis</skipped>");
    assert_has(c, "<system-out>");
    assert_has_not(c, "<failure");
}

static void what_is_below_the_grade_passes_and_is_told(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].fails = false;
    b->cars.v.value = WW_PASS;
    ww_str c =
        test_case(render(b, "junit"), "read-your-writes", "POST /cars/add -&gt; GET /cars");
    assert_has(c, "<system-out>Told, and not counted (confirmed)");
    assert_has_not(c, "<failure");
}

static void the_same_routes_twice_are_one_case(void **state)
{
    struct box *b = *state;

    b->cars.finding[1] = b->cars.finding[0];
    b->cars.finding[1].cause = WW_CAUSE_PER_WORKER_SECRET;
    b->cars.v.findings = 2;
    ww_str xml = render(b, "junit");
    ww_str c = test_case(xml, "read-your-writes", "POST /cars/add -&gt; GET /cars");
    assert_int_equal(occurrences(c, "<failure"), 1);
    assert_has(c, "worker-memory: ");
    assert_has(c, "per-worker-secret: ");
    assert_has_not(c, "as for f1");
}

static void requirements_are_cases(void **state)
{
    struct box *b = *state;

    b->requirement[0] = (struct ww_report_requirement){ .text = WW_STR("coverage>=0.99"),
                                                        .actual = WW_STR("0.97") };
    b->requirement[1] = (struct ww_report_requirement){ .text = WW_STR("sessions>=5"),
                                                        .actual = WW_STR("3"),
                                                        .too_little = true };
    b->requirement[2] = (struct ww_report_requirement){ .text = WW_STR("split-rate<0.9"),
                                                        .actual = WW_STR("0.5"),
                                                        .met = true };
    b->style.policy.requirement = b->requirement;
    b->style.policy.requirements = 3;
    ww_str xml = render(b, "junit");
    assert_has(test_case(xml, "policy", "coverage&gt;=0.99"),
               "<failure type=\"requirement\" message=\"it is 0.97\">");
    assert_has(test_case(xml, "policy", "sessions&gt;=5"), "<skipped>inconclusive: it is 3<");
    assert_int_equal(test_case(xml, "policy", "split-rate&lt;0.9").len, 0);
}

static void trouble_is_an_error(void **state)
{
    struct box *b = *state;

    b->style.policy.trouble = WW_STR("the backend never became ready");
    assert_has(test_case(render(b, "junit"), "policy", "the run is whole"),
               "<error type=\"trouble\" message=\"the backend never became ready\">");
}

static void a_verdict_that_fails_has_a_case_that_fails(void **state)
{
    struct box *b = *state;

    b->cars.v.findings = 0;
    b->cars.v.why = WW_STR("3 splits: a session changed its worker");
    assert_has(test_case(render(b, "junit"), "policy", "verdict"),
               "<failure type=\"verdict\" message=\"3 splits: a session changed its worker\">");
}

static void skipped_exchanges_are_no_trial(void **state)
{
    struct box *b = *state;

    b->cars.step[4].skipped = true;
    assert_has_not(render(b, "junit"), "monotonic-reads\" name=\"GET /users\"");
}

static void cut_names_stay_different(void **state)
{
    static char route[2][400];
    struct box *b = *state;

    for (int i = 0; i < 2; i++) {
        memset(route[i], 'x', sizeof(route[i]) - 2);
        memcpy(route[i], "GET /", 5);
        route[i][sizeof(route[i]) - 2] = (char)('a' + i);
        b->cars.route[i == 0 ? 0 : 2] = ww_str_c(route[i]);
    }
    ww_str xml = render(b, "junit");
    assert_int_equal(occurrences(xml, "whichworker.session-reset\" name=\"GET /xxx"), 2);
    ptrdiff_t at = ww_str_find(xml, WW_STR("whichworker.session-reset\" name=\"GET /xxx"));
    ww_str first = ww_str_upto(ww_str_from(xml, (size_t)at), 260);
    assert_int_equal(ww_str_find(ww_str_from(xml, (size_t)at + 1), first), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_BOX(a_pair_of_routes_that_lost_a_write_fails),
        WITH_BOX(what_was_put_to_the_test_passes),
        WITH_BOX(what_never_changed_its_worker_is_skipped),
        WITH_BOX(overlapping_exchanges_put_nothing_to_the_test),
        WITH_BOX(one_worker_alone_passes),
        WITH_BOX(doubt_skips_all_that_did_not_fail),
        WITH_BOX(an_empty_trace_has_cases_that_are_skipped),
        WITH_BOX(names_are_the_same_whatever_the_pids_and_times),
        WITH_BOX(what_is_accepted_is_skipped_with_its_reason),
        WITH_BOX(what_is_below_the_grade_passes_and_is_told),
        WITH_BOX(the_same_routes_twice_are_one_case),
        WITH_BOX(requirements_are_cases),
        WITH_BOX(trouble_is_an_error),
        WITH_BOX(a_verdict_that_fails_has_a_case_that_fails),
        WITH_BOX(skipped_exchanges_are_no_trial),
        WITH_BOX(cut_names_stay_different),
    };

    return cmocka_run_group_tests_name("report_junit", tests, NULL, NULL);
}
