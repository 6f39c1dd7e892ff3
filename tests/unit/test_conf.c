/* The configuration file: what is understood, what is refused and in which words. */
#include "check.h"
#include "conf.h"
#include "opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct conf *parse(const char *text, struct ww_err *err)
{
    *err = (struct ww_err){ 0 };
    return conf_parse("f.yaml", ww_str_c(text), err);
}

static void a_file_has_options_rules_and_carriers(void **state)
{
    struct ww_err err;
    struct conf *c = parse("fail-on: confirmed\n"
                           "require: ['coverage>=0.5', 'sessions>=2']\n"
                           "sessions:\n"
                           "  - cookie: basket\n"
                           "  - {header: X-A, pattern: 'u=([a-z]+)'}\n"
                           "  - pattern: '^/t/([a-z]+)/'\n"
                           "ignore:\n"
                           "  - pointer: /items/*/at\n"
                           "    route: GET /items\n"
                           "    reason: a clock\n"
                           "  - member: age\n"
                           "allow:\n"
                           "  - {route: /m, guarantee: status-flip, until: 2024-02-29}\n"
                           "grades:\n"
                           "  - {cap: likely, fail-on: none}\n",
                           &err);

    (void)state;
    assert_non_null(c);
    assert_int_equal(c->options, 3);
    assert_slice(c->option[0].name, "fail-on");
    assert_slice(c->option[0].value, "confirmed");
    assert_int_equal(c->option[0].line, 1);
    assert_slice(c->option[2].value, "sessions>=2");
    assert_int_equal(c->carriers, 3);
    assert_int_equal(c->carrier[0].kind, WW_KEY_COOKIE);
    assert_slice(c->carrier[0].name, "basket");
    assert_null(c->carrier[0].pattern);
    assert_int_equal(c->carrier[1].kind, WW_KEY_PATTERN);
    assert_int_equal(c->carrier[1].of, WW_OF_HEADER);
    assert_slice(c->carrier[1].name, "X-A");
    assert_non_null(c->carrier[1].pattern);
    assert_int_equal(c->carrier[2].of, WW_OF_TARGET);
    assert_int_equal(c->rules, 4);
    assert_int_equal(c->rule[0].kind, WW_RULE_IGNORE);
    assert_slice(c->rule[0].pointer, "/items/*/at");
    assert_slice(c->rule[0].route, "GET /items");
    assert_slice(c->rule[0].reason, "a clock");
    assert_slice(c->rule[0].where, "f.yaml:8");
    assert_int_equal(c->rule[0].guarantee, -1);
    assert_slice(c->rule[1].member, "age");
    assert_slice(c->rule[1].where, "f.yaml:11");
    assert_int_equal(c->rule[2].guarantee, WW_STATUS_FLIP);
    /* date -u -d 2024-03-01 +%s: the day itself is still allowed */
    assert_int_equal(c->rule[2].until_us, 1709251200 * (int64_t)1000000);
    assert_int_equal(c->rule[3].cap, WW_LIKELY);
    assert_int_equal(c->rule[3].fail_on, WW_FAIL_ON_NONE);
    conf_free(c);
}

static void a_file_may_be_empty(void **state)
{
    static const char *const empty[] = { "", "\n\n", "# nothing yet\n" };
    struct ww_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct conf *c = parse(empty[i], &err);

        assert_non_null(c);
        assert_int_equal(c->options + c->rules + c->carriers, 0);
        conf_free(c);
    }
}

struct wrong {
    const char *text;
    const char *says; /* begins so */
};

static void is_refused(void **state)
{
    const struct wrong *w = *state;
    struct ww_err err;

    assert_null(parse(w->text, &err));
    assert_int_equal(err.code, WW_EUSAGE);
    if (strstr(err.text, w->says) != err.text)
        fail_msg("'%s' does not begin with '%s'", err.text, w->says);
}

#define WRONG(name_, text_, says_)                                                             \
    {                                                                                          \
        .name = name_, .test_func = is_refused, .initial_state = &(struct wrong)               \
        {                                                                                      \
            text_, says_                                                                       \
        }                                                                                      \
    }

/* ---- too much of everything */

static void refuses_repeated(const char *open, const char *piece, size_t times,
                             const char *says)
{
    size_t len = strlen(open), each = strlen(piece);
    char *text = calloc(1, len + times * each + 1);
    struct ww_err err;

    assert_non_null(text);
    memcpy(text, open, len);
    for (size_t i = 0; i < times; i++)
        memcpy(text + len + i * each, piece, each);
    assert_null(parse(text, &err));
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, says);
    free(text);
}

static void what_is_too_much_is_refused(void **state)
{
    (void)state;
    refuses_repeated("", "[", 100000, "nested too deep");
    refuses_repeated("a: ", "{a: ", 100000, "nested too deep");
    refuses_repeated("", "fail-on: none\n", 30000, "more than 20000");
    refuses_repeated("skip:\n", "- route: /a\n", 501, "more than 500 in one list");
    refuses_repeated("trace: ", "aaaaaaaaaaaaaaaa", 1000, "more than 8192 bytes");
    refuses_repeated("ignore:\n- pointer: ", "/a", 40, "more than 32 segments");
}

static void a_bomb_of_aliases_is_refused_at_the_first(void **state)
{
    struct ww_err err;

    (void)state;
    assert_null(parse("a: &a [x, x, x, x, x, x, x, x, x]\n"
                      "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
                      "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n",
                      &err));
    assert_string_equal(err.text, "f.yaml:2: aliases (*name) are not understood here");
}

/* Every byte changed in turn: refused or read, never worse (run under ASan and valgrind). */
static void no_broken_file_does_harm(void **state)
{
    static const char good[] = "fail-on: none\nskip:\n  - {route: '/a/**', reason: \"b\"}\n"
                               "probes:\n- name: x\n  route: GET /\n  pattern: '(a)'\n"
                               "report: [json=a]\n";
    static const char bytes[] = "\0\n\t:-{}[]'\"*&!|>%@`#,?~\xff\x80z";
    char text[sizeof(good)];
    struct ww_err err;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(good); i++) {
        for (size_t k = 0; k + 1 < sizeof(bytes); k++) {
            memcpy(text, good, sizeof(good));
            text[i] = bytes[k];
            err = (struct ww_err){ 0 };

            struct conf *c = conf_parse("f.yaml", ww_str_n(text, sizeof(good) - 1), &err);

            assert_true((c == NULL) == (err.code != 0));
            conf_free(c);
        }
    }
}

/* ---- with the options */

struct place {
    char directory[32];
    char back[512];
};

/* In a directory of its own. */
static int enter(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    snprintf(p->directory, sizeof(p->directory), "/tmp/ww-conf-XXXXXX");
    *state = p;
    return getcwd(p->back, sizeof(p->back)) == NULL || mkdtemp(p->directory) == NULL ||
           chdir(p->directory) != 0;
}

static int leave(void **state)
{
    struct place *p = *state;

    unlink("whichworker.yaml");
    unlink("other.yaml");
    int status = chdir(p->back) != 0 || rmdir(p->directory) != 0;
    free(p);
    return status;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int options(unsigned command, struct config *c, struct ww_err *err, char *argv[])
{
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    *err = (struct ww_err){ 0 };
    return options_parse(command, argc, argv, c, err);
}

#define OPTIONS(command, c, err, ...) options(command, c, err, (char *[]){ __VA_ARGS__, NULL })

static void the_file_comes_before_defaults_and_behind_all_else(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    write_file("whichworker.yaml", "idle-timeout: 5s\nmax-head: 1k\nheader-timeout: 7s\n"
                                   "fail-on: none\n");
    setenv("WHICHWORKER_MAX_HEAD", "2k", 1);
    setenv("WHICHWORKER_HEADER_TIMEOUT", "8s", 1);
    assert_int_equal(OPTIONS(FOR_PROXY, &c, &err, "--header-timeout", "9s"), WW_OK);
    assert_int_equal(c.proxy.idle_timeout_ms, 5000);
    assert_int_equal(c.proxy.max_head_bytes, 2048);
    assert_int_equal(c.proxy.header_timeout_ms, 9000);
    assert_int_equal(c.proxy.connect_timeout_ms, 5000);
    assert_true(c.conf_unasked);
    options_release(&c);
    unsetenv("WHICHWORKER_MAX_HEAD");
    unsetenv("WHICHWORKER_HEADER_TIMEOUT");
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_NONE);
    options_release(&c);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "--no-config", "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_LIKELY);
    options_release(&c);
}

static void a_named_file_is_read_instead(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    write_file("whichworker.yaml", "fail-on: none\n");
    write_file("other.yaml", "fail-on: confirmed\nskip: [{route: /a}]\n");
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db", "--config=other.yaml"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_CONFIRMED);
    assert_int_equal(c.judge.rules, 1);
    assert_false(c.conf_unasked);
    options_release(&c);
    setenv("WHICHWORKER_CONFIG", "other.yaml", 1);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_CONFIRMED);
    options_release(&c);
    unsetenv("WHICHWORKER_CONFIG");
}

static void a_value_of_another_command_is_checked_and_left_alone(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    write_file("whichworker.yaml", "idle-timeout: soon\n");
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_EUSAGE);
    assert_true(c.conf_wrong);
    assert_non_null(strstr(err.text, "whichworker.yaml:1: idle-timeout: "));
    options_release(&c);
}

static void a_file_that_anybody_could_have_left_is_not_read_unasked(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    write_file("whichworker.yaml", "fail-on: none\n");
    assert_int_equal(chown("whichworker.yaml", 12345, 12345), 0);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_LIKELY);
    assert_non_null(c.conf_why);
    options_release(&c);
    /* In a checkout that belongs to the same user it is. */
    assert_int_equal(chown(".", 12345, 12345), 0);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_NONE);
    options_release(&c);
    assert_int_equal(chmod(".", 01777), 0);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "x.db"), WW_OK);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_LIKELY);
    options_release(&c);
}

/* What is printed is read back to the same. */
static void what_is_printed_is_a_file(void **state)
{
    struct config c;
    struct ww_err err;
    struct ww_buf first, again;

    (void)state;
    write_file("whichworker.yaml",
               "fail-on: none\nrequire: ['coverage>=0.5', 'sessions>=2']\n"
               "report: json=a b.json\nsessions: [{name: t, pattern: '^/(.)'}, {cookie: c}]\n"
               "ignore:\n- {pattern: \"a'\\\"b\\n\", reason: 'x: # y'}\n"
               "grades: [{guarantee: status-flip, cap: likely}]\n"
               "allow: [{route: 'GET /{id}', until: 2027-03-31}]\n");
    ww_buf_init(&first, 1 << 20);
    ww_buf_init(&again, 1 << 20);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "--min-attributed", "0.5"), WW_OK);
    options_print(FOR_REPORT, &c, &first);
    options_release(&c);
    assert_non_null(memmem(first.ptr, first.len, "# command line\n", 15));
    assert_non_null(memmem(first.ptr, first.len, "# whichworker.yaml:1\n", 21));
    assert_non_null(memmem(first.ptr, first.len, "# default\n", 10));
    ww_buf_add_char(&first, '\0');
    write_file("other.yaml", first.ptr);
    assert_int_equal(OPTIONS(FOR_REPORT, &c, &err, "--config", "other.yaml"), WW_OK);
    assert_true(c.judge.min_attributed == 0.5);
    assert_int_equal(c.judge.rules, 3);
    assert_slice(c.judge.rule[0].pattern, "a'\"b\n");
    assert_slice(c.judge.rule[0].reason, "x: # y");
    assert_int_equal(c.judge.sessions.carriers, 2);
    options_print(FOR_REPORT, &c, &again);
    assert_non_null(memmem(again.ptr, again.len, "until: 2027-03-31", 17));
    assert_non_null(memmem(again.ptr, again.len, "\"json=a b.json\"", 15));
    options_release(&c);
    ww_buf_release(&first);
    ww_buf_release(&again);
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_file_has_options_rules_and_carriers),
    cmocka_unit_test(a_file_may_be_empty),
    WRONG("a key that is near another", "fail-onn: none\n",
          "f.yaml:1: there is no key 'fail-onn' here; did you mean 'fail-on'?"),
    WRONG(
        "a key that is near none", "ignore:\n- pointer: /a\n  zzzzzz: 1\n",
        "f.yaml:3: there is no key 'zzzzzz' here; allowed are pointer, member, pattern, route"),
    WRONG("an option that is no setting", "help: true\n", "f.yaml:1: there is no key 'help'"),
    WRONG("a key twice", "\nfail-on: none\nfail-on: none\n",
          "f.yaml:3: 'fail-on' a second time: see line 2"),
    WRONG("a value for a list", "ignore: 5\n", "f.yaml:1: 'ignore' wants a list"),
    WRONG("a list for a value", "fail-on: [none]\n", "f.yaml:1: 'fail-on' wants one value"),
    WRONG("no value", "fail-on:\n", "f.yaml:1: 'fail-on' wants a value"),
    WRONG("a word for an element", "ignore:\n- /a\n", "f.yaml:2: an element wants keys"),
    WRONG("a list at the top", "- a\n", "f.yaml:1: the file wants keys"),
    WRONG("an alias", "a: &x 1\nb: *x\n", "f.yaml:2: aliases"),
    WRONG("a tag", "fail-on: !!str none\n", "f.yaml:1: tags"),
    WRONG("a second document", "fail-on: none\n---\na: 1\n", "f.yaml:2: a second document"),
    WRONG("a key that is a list", "? [a]\n: b\n", "f.yaml:1: a key must be a word"),
    WRONG("no YAML", "a: {\n", "f.yaml:2: not YAML: "),
    WRONG("no text", "a: \xff\xfe\n", "f.yaml: not a text: "),
    WRONG("a pointer without a slash", "ignore:\n- pointer: a\n",
          "f.yaml:2: 'a' is not a JSON pointer"),
    WRONG("a pointer with a bare tilde", "ignore:\n- pointer: /a~b\n", "f.yaml:2: '/a~b': a ~"),
    WRONG("a broken pattern", "ignore:\n- pattern: '(a'\n", "f.yaml:2: pattern: "),
    WRONG("a rule that says nothing", "ignore:\n- route: /a\n",
          "f.yaml:2: ignore wants one of pointer, member"),
    WRONG("a rule that says too much", "ignore:\n- {pointer: /a, member: b}\n",
          "f.yaml:2: ignore wants one of pointer, member"),
    WRONG("a route without a slash", "skip:\n- route: GET cars\n",
          "f.yaml:2: 'GET cars' is not a route"),
    WRONG("a probe without a name", "probes:\n- {route: /a, pointer: /b}\n",
          "f.yaml:2: a probe wants a name"),
    WRONG("a probe that captures nothing",
          "probes:\n- {name: a, route: /a, pattern: 'b(?:c)'}\n",
          "f.yaml:2: the pattern of a probe wants a ( )"),
    WRONG("a guarantee that is none", "grades:\n- {guarantee: read-my-writes, cap: likely}\n",
          "f.yaml:2: guarantee: 'read-my-writes' is none: read-your-writes"),
    WRONG("a cap that is none", "grades:\n- cap: proven\n", "f.yaml:2: cap: 'proven' is not"),
    WRONG("a rule's grade that is none", "grades:\n- fail-on: split\n",
          "f.yaml:2: fail-on: 'split'"),
    WRONG("a grade for nothing", "grades:\n- route: /a\n",
          "f.yaml:2: grades wants cap or fail-on"),
    WRONG("a day that is none", "allow:\n- {route: /a, until: 2023-02-29}\n",
          "f.yaml:2: until: '2023-02-29' is not a day"),
    WRONG("a carrier of two kinds", "sessions:\n- {cookie: a, header: b}\n",
          "f.yaml:2: sessions wants one of cookie, header"),
    WRONG("a carrier's pattern that captures nothing", "sessions:\n- pattern: abc\n",
          "f.yaml:2: the pattern wants a ( )"),
    cmocka_unit_test(what_is_too_much_is_refused),
    cmocka_unit_test(a_bomb_of_aliases_is_refused_at_the_first),
    cmocka_unit_test(no_broken_file_does_harm),
    IN_A_PLACE(the_file_comes_before_defaults_and_behind_all_else),
    IN_A_PLACE(a_named_file_is_read_instead),
    IN_A_PLACE(a_value_of_another_command_is_checked_and_left_alone),
    IN_A_PLACE(a_file_that_anybody_could_have_left_is_not_read_unasked),
    IN_A_PLACE(what_is_printed_is_a_file),
};

int main(void)
{
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
