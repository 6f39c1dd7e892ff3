/* What GitHub shows: annotations within its limits, and Markdown in which text stays text. */
#include "markdown.h"
#include "report_box.h"

/* ---- annotations */

static void a_finding_is_an_error_in_one_line(void **state)
{
    ww_str text = render(*state, "github");

    assert_true(ww_str_starts(
        text, WW_STR("::error title=whichworker%3A read-your-writes (confirmed) at GET "
                     "/cars::POST /cars/add succeeded on worker 51463, but")));
    assert_int_equal(occurrences(text, "\n"), 1);
}

static struct ww_finding *many_findings(struct box *b, size_t n)
{
    struct ww_finding *f = calloc(n, sizeof(*f));

    for (size_t i = 0; i < n; i++) {
        f[i] = b->cars.finding[0];
        snprintf(f[i].id, sizeof(f[i].id), "f%zu", i + 1);
    }
    b->cars.v.finding = f;
    b->cars.v.findings = n;
    return f;
}

static void ten_of_a_kind_are_the_most(void **state)
{
    struct box *b = *state;
    struct ww_finding *f = many_findings(b, 10);

    assert_int_equal(occurrences(render(b, "github"), "::error "), 10);
    assert_has_not(render(b, "github"), " more ");
    free(f);
    f = many_findings(b, 25);
    for (size_t i = 11; i < 25; i++)
        f[i].fails = false;
    ww_str text = render(b, "github");
    assert_int_equal(occurrences(text, "::error "), 10);
    assert_int_equal(occurrences(text, "::warning "), 10);
    assert_has(text, "::error title=whichworker%3A 2 more::2 more are in the report");
    assert_has(text, "::warning title=whichworker%3A 5 more::5 more are in the report");
    free(f);
}

static void what_would_command_is_escaped(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].message = WW_STR("100%\r\n::stop-commands::x %0A\x1b[31m");
    b->cars.finding[0].route = WW_STR("/a:b,c%\n::error::y");
    ww_str text = render(b, "github");
    assert_int_equal(occurrences(text, "\n"), 1);
    assert_has(text, "at GET /a%3Ab%2Cc%25\\x0a%3A%3Aerror%3A%3Ay::");
    assert_has(text, "::100%25\\x0d\\x0a::stop-commands::x %250A\\x1b[31m\n");
}

static void what_is_accepted_is_not_shown(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].allowed = true;
    b->cars.v.value = WW_PASS;
    assert_int_equal(render(b, "github").len, 0);
}

static void what_is_no_finding_is_shown(void **state)
{
    struct box *b = *state;

    b->cars.v.findings = 0;
    b->cars.v.value = WW_INCONCLUSIVE;
    b->cars.v.why = WW_STR("no request reached a worker");
    assert_has(render(b, "github"), "::warning title=whichworker%3A inconclusive::no request");
    b->style.policy.trouble = WW_STR("the backend died");
    assert_has(render(b, "github"),
               "::error title=whichworker%3A the run came to nothing::the");
    b->requirement[0] = (struct ww_report_requirement){ .text = WW_STR("coverage>=0.99"),
                                                        .actual = WW_STR("0.97") };
    b->style.policy.requirement = b->requirement;
    b->style.policy.requirements = 1;
    b->style.policy.file = WW_STR("base.yaml");
    assert_has(
        render(b, "github"),
        "::error file=base.yaml,title=whichworker%3A requirement::coverage>=0.99: it is");
}

/* ---- Markdown */

static void the_story_is_in_it(void **state)
{
    ww_str text = render(*state, "markdown");

    assert_has(text, "## whichworker: \xe2\x9d\x8c failed\n");
    assert_has(text, "### f1 confirmed: read-your-writes at `GET /cars`\n");
    assert_has(text, "| #3 | 12:01:07.492 | 51465 | `GET /cars?page=1` | 200 | read-lost "
                     "`Figo missing` |\n");
    assert_has(text, "| worker changed | 1 | 132 |\n| same worker | 168 | 0 |\n");
    assert_has(text, "**Cause** (worker-memory): the state lives");
    assert_has(text, "**What to do**: Move the list");
}

static void it_fits_a_pull_request(void **state)
{
    static char message[100000];
    struct box *b = *state;
    struct ww_finding *f = many_findings(b, 500);

    memset(message, '`', sizeof(message));
    b->cars.step[1].target = b->cars.v.why = ww_str_n(message, sizeof(message));
    for (size_t i = 0; i < 500; i++)
        f[i].message = ww_str_n(message, sizeof(message));
    ww_str text = render(b, "markdown");
    assert_true(text.len < 65536);
    assert_has(text, " more findings in the full report.\n");
    free(f);
}

struct code_case {
    const char *in;
    const char *want;
};

static void code_is_code(void **state)
{
    const struct code_case *c = *state;
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    ww_markdown_code(&b, ww_str_c(c->in), 40);
    assert_true(ww_str_eq(ww_buf_str(&b), ww_str_c(c->want)));
    ww_buf_release(&b);
}

#define CODE(in_, want_)                                                                       \
    {                                                                                          \
        .name = "code: " in_, .test_func = code_is_code, .initial_state = &(struct code_case)  \
        {                                                                                      \
            in_, want_                                                                         \
        }                                                                                      \
    }

static const struct CMUnitTest tests[] = {
    WITH_BOX(a_finding_is_an_error_in_one_line),
    WITH_BOX(ten_of_a_kind_are_the_most),
    WITH_BOX(what_would_command_is_escaped),
    WITH_BOX(what_is_accepted_is_not_shown),
    WITH_BOX(what_is_no_finding_is_shown),
    WITH_BOX(the_story_is_in_it),
    WITH_BOX(it_fits_a_pull_request),
    CODE("", ""),
    CODE("GET /cars", "`GET /cars`"),
    CODE("a`b``c", "```a`b``c```"),
    CODE("`", "`` ` ``"),
    CODE(" ", "`   `"),
    CODE("a|b", "`a\\x7cb`"),
    CODE("\\", "`\\`"),
    CODE("@all <b> http://x", "`@all <b> http://x`"),
    CODE("x\x7fy", "`x\\x7fy`"),
};

int main(void)
{
    return cmocka_run_group_tests_name("report_github", tests, NULL, NULL);
}
