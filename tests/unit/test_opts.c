/* The options table: precedence, spelling mistakes, values that are refused. */
#include "check.h"
#include "opts.h"

#include <stdio.h>
#include <stdlib.h>

static int parse(unsigned command, struct config *c, struct ww_err *err, char *argv[])
{
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    *err = (struct ww_err){ 0 };
    return options_parse(command, argc, argv, c, err);
}

#define PARSE(command, c, err, ...) parse(command, c, err, (char *[]){ __VA_ARGS__, NULL })

static void every_option_has_its_default(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--upstream", "127.0.0.1:1"), WW_OK);
    assert_int_equal(c.proxy.header_timeout_ms, 10000);
    assert_int_equal(c.proxy.handover_timeout_ms, 250);
    assert_int_equal(c.proxy.max_head_bytes, 32768);
    assert_int_equal(c.proxy.max_body_bytes, 0);
    assert_int_equal(c.judge.fail_on, WW_FAIL_ON_LIKELY);
    assert_string_equal(c.format->name, "text");
    assert_slice(c.listen, "127.0.0.1:8080");
    assert_false(c.quiet);
    assert_null(c.operand);
}

static void a_value_may_stand_behind_a_space_or_an_equals_sign(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--idle-timeout=3s", "--max-head", "1k"),
                     WW_OK);
    assert_int_equal(c.proxy.idle_timeout_ms, 3000);
    assert_int_equal(c.proxy.max_head_bytes, 1024);
}

static void an_argument_comes_before_the_environment(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    setenv("WHICHWORKER_IDLE_TIMEOUT", "7s", 1);
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--quiet"), WW_OK);
    assert_int_equal(c.proxy.idle_timeout_ms, 7000);
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--idle-timeout", "8s"), WW_OK);
    assert_int_equal(c.proxy.idle_timeout_ms, 8000);
    setenv("WHICHWORKER_IDLE_TIMEOUT", "soon", 1);
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--quiet"), WW_EUSAGE);
    assert_non_null(strstr(err.text, "environment variable WHICHWORKER_IDLE_TIMEOUT"));
    unsetenv("WHICHWORKER_IDLE_TIMEOUT");
}

static void what_follows_two_dashes_is_no_option(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    assert_int_equal(PARSE(FOR_REPORT, &c, &err, "--", "--odd.db"), WW_OK);
    assert_string_equal(c.operand, "--odd.db");
}

static void an_option_of_another_command_is_unknown(void **state)
{
    struct config c;
    struct ww_err err;

    (void)state;
    assert_int_equal(PARSE(FOR_REPORT, &c, &err, "--upstream", "127.0.0.1:1"), WW_EUSAGE);
    assert_int_equal(PARSE(FOR_PROXY, &c, &err, "--fail-on", "none"), WW_EUSAGE);
}

struct refused {
    unsigned command;
    const char *argument;
    const char *says;
};

static void refused_with_words(void **state)
{
    const struct refused *r = *state;
    char argument[64];
    struct config c;
    struct ww_err err;

    snprintf(argument, sizeof(argument), "%s", r->argument);
    assert_int_equal(PARSE(r->command, &c, &err, argument), WW_EUSAGE);
    if (strstr(err.text, r->says) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, r->says);
}

#define REFUSED(command_, argument_, says_)                                                    \
    {                                                                                          \
        .name = "refused: " argument_, .test_func = refused_with_words,                        \
        .initial_state = &(struct refused)                                                     \
        {                                                                                      \
            command_, argument_, says_                                                         \
        }                                                                                      \
    }

static void every_row_can_be_set_from_its_default(void **state)
{
    (void)state;
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        char argument[128];
        struct config c;
        struct ww_err err;

        if (o->dflt == NULL || strcmp(o->dflt, "0") == 0)
            continue;
        snprintf(argument, sizeof(argument), "--%s=%s", o->name, o->dflt);
        assert_int_equal(PARSE(o->commands, &c, &err, argument), WW_OK);
    }
}

static void rows_are_in_the_order_of_the_alphabet(void **state)
{
    (void)state;
    for (const struct option_row *o = options_table; o[1].name != NULL; o++)
        assert_true(strcmp(o->name, o[1].name) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_its_default),
        cmocka_unit_test(a_value_may_stand_behind_a_space_or_an_equals_sign),
        cmocka_unit_test(an_argument_comes_before_the_environment),
        cmocka_unit_test(what_follows_two_dashes_is_no_option),
        cmocka_unit_test(an_option_of_another_command_is_unknown),
        cmocka_unit_test(every_row_can_be_set_from_its_default),
        cmocka_unit_test(rows_are_in_the_order_of_the_alphabet),
        REFUSED(FOR_PROXY, "--upstraem=127.0.0.1:1", "did you mean --upstream?"),
        REFUSED(FOR_PROXY, "--zzzzzz", "there is no option --zzzzzz"),
        REFUSED(FOR_PROXY, "--idle-timeout", "--idle-timeout wants a value"),
        REFUSED(FOR_PROXY, "--idle-timeout=0", "longer than 0"),
        REFUSED(FOR_PROXY, "--idle-timeout=30", "300ms"),
        REFUSED(FOR_PROXY, "--max-head=many", "64k"),
        REFUSED(FOR_PROXY, "-x", "options begin with --"),
        REFUSED(FOR_PROXY, "--quiet=perhaps", "neither true nor false"),
        REFUSED(FOR_PROXY, "--listen=", "empty"),
        REFUSED(FOR_REPORT, "--format=xml", "not a format: text, json"),
        REFUSED(FOR_REPORT, "--fail-on=never", "not a grade"),
        REFUSED(FOR_REPORT, "--min-attributed=1.5", "from 0 to 1"),
        REFUSED(FOR_REPORT, "--min-attributed=nan", "from 0 to 1"),
    };

    return cmocka_run_group_tests_name("opts", tests, NULL, NULL);
}
