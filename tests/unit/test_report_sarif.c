/* The SARIF report: levels, fingerprints that stay, locations, suppressions, notifications. */
#include "report_box.h"

#include <jansson.h>

/* runs[0]; the caller gives it back. */
static json_t *run_of(struct box *b)
{
    ww_str text = render(b, "sarif");
    json_error_t error;
    json_t *root =
        json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (root == NULL)
        fail_msg("%s", error.text);
    json_t *run = json_incref(json_array_get(json_object_get(root, "runs"), 0));
    json_decref(root);
    assert_non_null(run);
    return run;
}

/* A string by a path of members and numbers: "results/0/level". NULL: it is not there. */
static const char *at(json_t *value, const char *path)
{
    ww_str rest = ww_str_c(path), name;
    uint64_t index;

    while (ww_str_cut(&rest, '/', &name)) {
        char key[64];

        snprintf(key, sizeof(key), WW_STRF, WW_STRV(name));
        value = ww_str_u64(name, &index) ? json_array_get(value, index)
                                         : json_object_get(value, key);
    }
    return json_string_value(value);
}

static void assert_fingerprint(json_t *run, char out[64])
{
    json_t *prints = json_object_get(json_array_get(json_object_get(run, "results"), 0),
                                     "partialFingerprints");
    const char *text = json_string_value(json_object_get(prints, "whichworkerFinding/v1"));

    assert_non_null(text);
    snprintf(out, 64, "%s", text);
    assert_int_equal(strspn(out, "0123456789abcdef"), 32);
}

static void a_finding_is_a_result(void **state)
{
    json_t *run = run_of(*state);

    assert_string_equal(at(run, "results/0/ruleId"), "read-your-writes");
    assert_string_equal(at(run, "results/0/level"), "error");
    assert_non_null(strstr(at(run, "results/0/message/text"), "POST /cars/add succeeded"));
    assert_non_null(
        strstr(at(run, "results/0/message/text"), "(worker-memory). Move the list"));
    assert_string_equal(at(run, "results/0/locations/0/physicalLocation/artifactLocation/uri"),
                        "cars");
    assert_string_equal(at(run, "results/0/locations/0/logicalLocations/0/fullyQualifiedName"),
                        "GET /cars");
    assert_string_equal(
        at(run, "results/0/codeFlows/0/threadFlows/0/locations/1/location/message/text"),
        "#3 GET /cars?page=1 on worker 51465, status 200: read-lost: Figo missing");
    assert_null(at(run, "results/0/codeFlows/0/threadFlows/0/locations/3/importance"));
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(run, "results"), 0),
                                           "occurrenceCount")),
        132);
    json_decref(run);
}

static void the_fingerprint_is_of_the_fault_alone(void **state)
{
    struct box *b = *state;
    struct ww_finding *f = &b->cars.finding[0];
    char first[64], other[64];
    json_t *run = run_of(b);

    assert_fingerprint(run, first);
    json_decref(run);
    b->cars.worker[0].worker.id.pid = 7;
    b->cars.step[1].started_us += 12345;
    f->message = WW_STR("in other words");
    f->grade = WW_LIKELY;
    f->occurrences = 1;
    f->session = 1;
    snprintf(f->id, sizeof(f->id), "f9");
    run = run_of(b);
    assert_fingerprint(run, other);
    json_decref(run);
    assert_string_equal(first, other);

    /* Each of the four parts counts, and none runs into the next. */
    for (int i = 0; i < 5; i++) {
        struct ww_finding changed = *f;

        f->guarantee = i == 0 ? WW_STATUS_FLIP : f->guarantee;
        f->method = i == 1 ? WW_STR("HEAD") : f->method;
        f->route = i == 2 ? WW_STR("/cars/{id}") : i == 4 ? WW_STR("/cars/") : f->route;
        f->place = i == 3 ? WW_STR("/id") : i == 4 ? WW_STR("name") : f->place;
        run = run_of(b);
        assert_fingerprint(run, other);
        json_decref(run);
        assert_string_not_equal(first, other);
        *f = changed;
    }
}

static void a_file_of_the_repository_is_the_place(void **state)
{
    struct box *b = *state;

    b->style.policy.file = WW_STR("ci/my baseline.yaml");
    json_t *run = run_of(b);
    assert_string_equal(at(run, "results/0/locations/0/physicalLocation/artifactLocation/uri"),
                        "ci/my%20baseline.yaml");
    assert_null(at(run, "results/0/locations/0/physicalLocation/artifactLocation/uriBaseId"));
    json_decref(run);
}

static void levels_follow_the_standing(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].fails = false;
    json_t *run = run_of(b);
    assert_string_equal(at(run, "results/0/level"), "warning");
    json_decref(run);
    b->cars.finding[0].grade = WW_POSSIBLE;
    run = run_of(b);
    assert_string_equal(at(run, "results/0/level"), "note");
    json_decref(run);
    b->cars.finding[0].allowed = true;
    b->cars.finding[0].policy = WW_STR("allowed by rules.yaml:3");
    run = run_of(b);
    assert_string_equal(at(run, "results/0/suppressions/0/justification"),
                        "allowed by rules.yaml:3");
    json_decref(run);
}

static void what_is_no_finding_is_a_notification(void **state)
{
    struct box *b = *state;
    const char *first = "invocations/0/toolExecutionNotifications/0/message/text";

    json_t *run = run_of(b);
    assert_null(at(run, first));
    json_decref(run);
    b->cars.v.findings = 0;
    b->cars.v.why = WW_STR("3 splits: a session changed its worker");
    run = run_of(b);
    assert_string_equal(at(run, first), "3 splits: a session changed its worker");
    json_decref(run);
    b->style.policy.trouble = WW_STR("the backend died");
    run = run_of(b);
    assert_string_equal(at(run, first), "the backend died");
    assert_true(json_is_false(json_object_get(
        json_array_get(json_object_get(run, "invocations"), 0), "executionSuccessful")));
    json_decref(run);
}

static void a_message_makes_no_link(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].message = WW_STR("see [here](https://evil.example) now");
    json_t *run = run_of(b);
    assert_null(strstr(at(run, "results/0/message/text"), "]("));
    json_decref(run);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_BOX(a_finding_is_a_result),
        WITH_BOX(the_fingerprint_is_of_the_fault_alone),
        WITH_BOX(a_file_of_the_repository_is_the_place),
        WITH_BOX(levels_follow_the_standing),
        WITH_BOX(what_is_no_finding_is_a_notification),
        WITH_BOX(a_message_makes_no_link),
    };

    return cmocka_run_group_tests_name("report_sarif", tests, NULL, NULL);
}
