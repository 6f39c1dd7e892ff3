/* The text report: what it says, where it stands, and that nothing from the wire gets out raw.
 */
#include "cars_verdict.h"

#include <whichworker/report.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

struct box {
    struct cars cars;
    struct ww_report_style style;
    struct ww_buf out;
};

static int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    ww_buf_init(&b->out, 1 << 22);
    cars_lost(&b->cars);
    b->style.trace = WW_STR("cars.db");
    *state = b;
    return 0;
}

static int close_box(void **state)
{
    struct box *b = *state;

    ww_buf_release(&b->out);
    free(b);
    return 0;
}

static ww_str render(struct box *b)
{
    ww_buf_clear(&b->out);
    ww_report_format_find(WW_STR("text"))->render(&b->cars.v, &b->style, &b->out);
    assert_false(b->out.full);
    return ww_buf_str(&b->out);
}

static void assert_has(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) < 0)
        fail_msg("'%s' is not in:\n%.*s", needle, (int)text.len, text.ptr);
}

static void assert_has_not(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) >= 0)
        fail_msg("'%s' is in:\n%.*s", needle, (int)text.len, text.ptr);
}

/* The line that starts with this, without its end. */
static ww_str line_with(ww_str text, const char *start)
{
    ww_str line;

    while (ww_str_cut(&text, '\n', &line))
        if (ww_str_starts(line, ww_str_c(start)))
            return line;
    fail_msg("no line starts with '%s'", start);
    return (ww_str){ 0 };
}

static void assert_line(ww_str text, const char *line)
{
    assert_true(ww_str_eq(line_with(text, line), ww_str_c(line)));
}

static void assert_order(ww_str text, const char *const *needles)
{
    for (; *needles != NULL; needles++) {
        ptrdiff_t at = ww_str_find(text, ww_str_c(*needles));
        if (at < 0)
            fail_msg("'%s' is missing or too early", *needles);
        text = ww_str_from(text, (size_t)at + 1);
    }
}

static size_t columns(ww_str line)
{
    size_t n = 0;

    for (size_t i = 0; i < line.len; i++)
        n += ((unsigned char)line.ptr[i] & 0xc0) != 0x80;
    return n;
}

static void assert_width(ww_str text, size_t width)
{
    ww_str line;

    while (ww_str_cut(&text, '\n', &line))
        if (columns(line) > width)
            fail_msg("%zu columns: %.*s", columns(line), (int)line.len, line.ptr);
}

static void assert_last_line(ww_str text, const char *want)
{
    ww_str last = { 0 }, line;

    assert_true(ww_str_ends(text, WW_STR("\n")));
    while (ww_str_cut(&text, '\n', &line))
        if (line.len > 0)
            last = line;
    assert_true(ww_str_eq(last, ww_str_c(want)));
}

static void parts_come_in_their_order(void **state)
{
    static const char *const parts[] = { "cars.db",
                                         "FAIL  1 confirmed finding",
                                         "f1  confirmed  read-your-writes",
                                         "proof",
                                         "the state was",
                                         "not compared",
                                         "cause",
                                         "what to do",
                                         "Timeline of session s1",
                                         "Other sessions",
                                         "Workers",
                                         "Recording",
                                         "passed, ",
                                         NULL };
    ww_str text = render(*state);

    assert_order(text, parts);
    assert_line(text, "      1 finding: 1 confirmed");
    assert_width(text, 96);
    assert_has_not(text, "\x1b");
    assert_has_not(text, " \n");
}

static void the_proof_is_shown(void **state)
{
    ww_str text = render(*state);

    assert_line(text,
                "    #2      12:01:07.487  51463   POST /cars/add    200  write: name=Figo");
    assert_line(
        text,
        "    #3      12:01:07.492  51465   GET /cars?page=1  200  read-lost: Figo missing");
    assert_line(text, "    #4      12:01:07.497  51463   GET /cars         200  read-kept");
    assert_line(text, "    worker changed          1      132   99.2% lost");
    assert_line(text, "    same worker           168        0   0% lost");
    assert_has(text, "seen          132 times; the proof is from session s1");
    assert_has(text, "/0/at: differs within one worker");
    assert_has(text, "worker-memory: the state lives in the memory of one process");
    assert_has(text, "--preload does not help here.");
}

static void the_timeline_has_a_lane_for_each_worker(void **state)
{
    ww_str text = render(*state);

    assert_line(text,
                "Timeline of session s1 (cookie session): 4 exchanges, 2 workers, 2 splits");
    assert_line(text, "                         51463    51465");
    assert_line(text, "    #1     12:01:07.482    o               200  GET /cars");
    assert_line(text,
                "  * #2     12:01:07.487    o               200  POST /cars/add  f1 write");
    assert_line(
        text, "  *~#3     12:01:07.492    +------->o      200  GET /cars?page=1  f1 read-lost");
    assert_line(text,
                "  *~#4     12:01:07.497    o<-------+      200  GET /cars  f1 read-kept");
}

static void the_recording_is_described(void **state)
{
    ww_str text = render(*state);

    assert_line(text,
                "  s2    Authorization                     2 exchanges, 2 workers, 1 split");
    assert_has_not(text, "  s1    cookie");
    assert_line(text, "     0  51463            4   66.7%     0.25     4.50  gunicorn: worker "
                      "[cars_app:app]");
    assert_has(text, "ended 12:01:11.482");
    assert_line(text, "  recorded      2025-11-25 12:01:07.482 to 12:01:12.482 UTC");
    assert_line(text, "  traffic       6 exchanges in 3 sessions, 3 splits");
    assert_line(text, "  attribution   100% of what reached a worker is known (kernel 6)");
    assert_line(text, "  upstream      127.0.0.1:8000");
    assert_line(text, "  connections   fresh, schedule natural");
    assert_has_not(text, "fell behind");
}

static void a_killed_recorder_is_told(void **state)
{
    struct box *b = *state;

    b->cars.v.run.ended_us = 0;
    b->cars.v.run.stalls = 1;
    b->cars.v.run.lost = 2;
    ww_str text = render(b);
    assert_has(text, "its end was not recorded");
    assert_has(text, "fell behind 1 time; ");
    assert_has(text, "2 exchanges that could not be written");
}

static void two_sources_that_differ_are_both_named(void **state)
{
    struct box *b = *state;

    assert_true(ww_str_find(render(b), WW_STR("different workers")) < 0);
    b->cars.v.disagreement[WW_BY_HEADER] = (struct ww_disagreement){ .exchanges = 3,
                                                                     .first = 12,
                                                                     .by = WW_BY_KERNEL,
                                                                     .also_by = WW_BY_HEADER,
                                                                     .pid = 4711,
                                                                     .also_pid = 4700 };
    assert_has(render(b), "kernel and header name different workers for 3 exchanges");
    assert_has(render(b), "#12 was served by 4711 (kernel), not 4700 (header)");
}

static void nearly_all_is_not_all(void **state)
{
    struct box *b = *state;

    b->cars.v.coverage = 0.99999;
    b->cars.finding[0].table = (struct ww_table){ 1, 99999, 99999, 1 };
    ww_str text = render(b);
    assert_has(text, "99.99% of what reached");
    assert_has(text, "1    99999   99.9% lost");
    assert_has(text, "99999        1   0.1% lost");
}

static void the_last_line_counts_the_guarantees(void **state)
{
    struct box *b = *state;

    assert_last_line(render(b), "2 passed, 1 failed, 1 inconclusive");
    for (size_t i = 0; i < WW_GUARANTEES; i++)
        b->cars.v.guarantee[i] = WW_INCONCLUSIVE;
    assert_last_line(render(b), "0 passed, 0 failed, 4 inconclusive");
}

static void without_finding_it_says_so(void **state)
{
    struct box *b = *state;

    cars_begin(&b->cars);
    cars_step(&b->cars, 0, 0, "GET", "/", 200);
    ww_str text = render(b);
    assert_has(text, "PASS  ");
    assert_has(text, "No finding.");
    assert_has(text, "No session ever moved from one worker to another.");
    assert_has_not(text, "Timeline");
    assert_has_not(text, "changed workers");

    cars_step(&b->cars, 0, 1, "GET", "/", 200);
    text = render(b);
    assert_has(text, "1 split, harmless ");
    assert_has(text, "Sessions that changed workers");
    assert_last_line(text, "4 passed, 0 failed, 0 inconclusive");

    cars_step(&b->cars, 0, 0, "GET", "/", 200);
    assert_has(render(b), "2 splits, all harmless ");
    b->cars.v.value = WW_INCONCLUSIVE;
    text = render(b);
    assert_has(text, "INCONCLUSIVE  ");
    assert_has_not(text, "harmless");
}

static void an_empty_recording_is_no_trouble(void **state)
{
    struct box *b = *state;

    b->cars.v = (struct ww_verdict){ .coverage = 1, .value = WW_INCONCLUSIVE };
    b->style.trace = (ww_str){ 0 };
    ww_str text = render(b);
    assert_true(ww_str_starts(text, WW_STR("INCONCLUSIVE  ")));
    assert_has(text, "0 exchanges in 0 sessions, 0 splits");
}

static void nothing_from_the_wire_is_raw(void **state)
{
    static const char evil[] = "\x1b[2J\x07\r\n\xff\xc2\x9b";
    struct box *b = *state;
    ww_str s = ww_str_n(evil, sizeof(evil) - 1);
    struct cars *c = &b->cars;

    c->step[2].target = c->step[2].method = s;
    c->evidence[0][1].value = s;
    c->masked[0] = c->finding[0].message = c->finding[0].fix = s;
    c->v.why = s;
    c->session[0].key_name = c->session[1].key_name = s;
    b->style.trace = s;
    snprintf(c->worker[0].worker.command, sizeof(c->worker[0].worker.command), "%s", evil);
    snprintf(c->v.run.upstream, sizeof(c->v.run.upstream), "%s", evil);
    snprintf(c->v.run.schedule, sizeof(c->v.run.schedule), "%s", evil);
    ww_str text = render(b);
    for (size_t i = 0; i < text.len; i++)
        assert_true(text.ptr[i] == '\n' ||
                    ((unsigned char)text.ptr[i] >= 0x20 && (unsigned char)text.ptr[i] < 0x7f));
    assert_has(text, "FAIL  \\x1b[2J\\x07\\x0d\\x0a\\xff\\xc2\\x9b");
    assert_last_line(text, "2 passed, 1 failed, 1 inconclusive");
}

/* As the runners of GitHub, Azure and TeamCity read the log of a build. */
static bool is_command(ww_str line)
{
    while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        line = ww_str_from(line, 1);
    return ww_str_starts(line, WW_STR("::e")) || ww_str_find(line, WW_STR("##[")) >= 0 ||
           ww_str_find(line, WW_STR("##vso[")) >= 0;
}

static void nothing_from_the_wire_commands_a_runner(void **state)
{
    struct box *b = *state;
    char message[400], pad_text[200];

    memset(pad_text, 'a', sizeof(pad_text));
    /* Wherever the line breaks: behind words of all lengths, and in the midst of a long one. */
    for (int pad = 1; pad < 400; pad++) {
        snprintf(message, sizeof(message),
                 "%.*s%s::error::x ##[error]y ##vso[task]z ::error::w", pad / 2, pad_text,
                 pad % 2 == 0 ? " " : "");
        b->cars.finding[0].message = ww_str_c(message);
        b->cars.step[1].target = ww_str_c(message);
        ww_str text = render(b), line;
        while (ww_str_cut(&text, '\n', &line))
            if (is_command(line))
                fail_msg("%.*s", (int)line.len, line.ptr);
    }
}

static void long_sessions_are_cut_around_the_proof(void **state)
{
    struct box *b = *state;

    for (size_t i = 0; i < 100; i++)
        cars_step(&b->cars, 0, i % 3, "GET", "/a/rather/long/path/for/a/list?of=everything",
                  200);
    b->cars.evidence[0][2].step = 70;
    ww_str text = render(b);
    assert_line(text, "    ... 59 exchanges left out, with 59 splits");
    assert_line(text, "    ... 32 exchanges left out, with 32 splits");
    assert_has(text, "  *~#71 ");
    assert_has(text, "   ~#68 ");
    assert_has(text, "   ~#74 ");
    assert_has_not(text, "#67 ");
    assert_has_not(text, "#75 ");
    assert_width(text, 96);
}

static void many_workers_are_a_column(void **state)
{
    struct box *b = *state;

    for (int32_t pid = 61001; pid <= 61004; pid++)
        cars_worker(&b->cars, pid);
    for (size_t i = 2; i < 7; i++)
        cars_step(&b->cars, 0, i, "GET", "/cars", 200);
    ww_str text = render(b);
    assert_line(text, "                         worker");
    assert_line(text, "   ~#11    12:01:07.532  61004    200  GET /cars");
}

static void unknown_workers_and_broken_ends_are_shown(void **state)
{
    struct box *b = *state;

    cars_step(&b->cars, 0, WW_NO_WORKER, "GET", "/cars", 0);
    b->cars.step[6].end = WW_END_UPSTREAM_CLOSED;
    b->cars.evidence[0][2].step = 6;
    ww_str text = render(b);
    assert_line(text, "                         51463    51465    ?");
    assert_line(text, "  * #7     12:01:07.512                      o        -  GET /cars  "
                      "f1 read-kept, upstream-closed");
    assert_line(text, "    #7      12:01:07.512  unknown GET /cars           -  read-kept");
    assert_has(text, "(kernel 6, unknown 1)");
}

/* Takes colours away, and nothing else. */
static void strip(struct ww_buf *b)
{
    size_t to = 0;

    for (size_t i = 0; i < b->len; i++) {
        if (b->ptr[i] == '\x1b')
            while (b->ptr[i] != 'm')
                i++;
        else
            b->ptr[to++] = b->ptr[i];
    }
    b->len = to;
}

static void colour_adds_only_colour(void **state)
{
    struct box *b = *state;
    struct ww_buf plain;

    ww_buf_init(&plain, 1 << 20);
    ww_buf_add(&plain, render(b));
    b->style.colour = true;
    assert_has(render(b), "\x1b[1;31mFAIL\x1b[0m");
    strip(&b->out);
    assert_true(ww_str_eq(ww_buf_str(&b->out), ww_buf_str(&plain)));
    ww_buf_release(&plain);
}

static void it_keeps_to_the_width(void **state)
{
    struct box *b = *state;

    b->cars.finding[0].message = WW_STR(
        "A sentence with "
        "averyverylongwordthathasnoblankinitatallandgoesonandonandonandonandonandonandonandon"
        "andonandonandonandon and ends. Ein Satz mit Umlauten: "
        "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f.");
    b->cars.evidence[0][1].value =
        WW_STR("something that is too long for the rest of its line, "
               "and so goes to lines of its own, which are indented");
    static const unsigned widths[] = { 80, 96, 132 };
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        b->style.width = widths[i];
        assert_width(render(b), widths[i]);
    }
    ww_str text = render(b);
    assert_has(text, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f.");
    assert_has(text,
               "read-lost:\n                                  something that is too long");
}

static void many_findings_become_lines(void **state)
{
    struct box *b = *state;
    struct ww_finding *many = calloc(100, sizeof(*many));

    for (size_t i = 0; i < 100; i++) {
        many[i] = b->cars.finding[0];
        snprintf(many[i].id, sizeof(many[i].id), "f%zu", i + 1);
    }
    b->cars.v.finding = many;
    b->cars.v.findings = 100;
    ww_str text = render(b);
    assert_has(text, "\nf10  confirmed  read-your-writes: ");
    assert_has(text, "\nf11  confirmed  read-your-writes  POST");
    assert_has(text, "\n  ... and 50 more findings\n");
    assert_has(text, "\n      100 findings: 100 confirmed\n");
    assert_has(text, "what to do    as for f1\n");
    free(many);
}

#define WITH_BOX(f) cmocka_unit_test_setup_teardown(f, open_box, close_box)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(parts_come_in_their_order),
        WITH_BOX(the_proof_is_shown),
        WITH_BOX(the_timeline_has_a_lane_for_each_worker),
        WITH_BOX(the_recording_is_described),
        WITH_BOX(a_killed_recorder_is_told),
        WITH_BOX(two_sources_that_differ_are_both_named),
        WITH_BOX(nearly_all_is_not_all),
        WITH_BOX(the_last_line_counts_the_guarantees),
        WITH_BOX(without_finding_it_says_so),
        WITH_BOX(an_empty_recording_is_no_trouble),
        WITH_BOX(nothing_from_the_wire_is_raw),
        WITH_BOX(nothing_from_the_wire_commands_a_runner),
        WITH_BOX(long_sessions_are_cut_around_the_proof),
        WITH_BOX(many_workers_are_a_column),
        WITH_BOX(unknown_workers_and_broken_ends_are_shown),
        WITH_BOX(colour_adds_only_colour),
        WITH_BOX(it_keeps_to_the_width),
        WITH_BOX(many_findings_become_lines),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
