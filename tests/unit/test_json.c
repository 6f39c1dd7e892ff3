/* JSON: what is written is read back by another library; misuse aborts. */
#include "check.h"

#include <whichworker/json.h>

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

static json_t *parsed(const struct ww_buf *b)
{
    json_error_t error;
    json_t *value = json_loadb(
        b->ptr, b->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    if (value == NULL)
        fail_msg("%s at %d in: " WW_STRF, error.text, error.position, WW_STRV(ww_buf_str(b)));
    return value;
}

static void write_sample(struct ww_json *j)
{
    ww_json_obj(j, NULL);
    ww_json_str(j, "s", WW_STR("x"));
    ww_json_str(j, "none", (ww_str){ 0 });
    ww_json_str(j, "empty", WW_STR(""));
    ww_json_arr(j, "list");
    ww_json_int(j, NULL, 1);
    ww_json_obj(j, NULL);
    ww_json_end(j);
    ww_json_arr(j, NULL);
    ww_json_end(j);
    ww_json_bool(j, NULL, true);
    ww_json_end(j);
    ww_json_bool(j, "no", false);
    ww_json_null(j, "null");
    ww_json_num(j, "half", 0.5);
    ww_json_end(j);
    ww_json_finish(j);
}

static void compact_form_has_no_spaces(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, false);
    write_sample(&j);
    assert_slice(ww_buf_str(&b),
                 "{\"s\":\"x\",\"none\":null,\"empty\":\"\",\"list\":[1,{},[],true],"
                 "\"no\":false,\"null\":null,\"half\":0.5}\n");
    ww_buf_release(&b);
}

static void pretty_form_has_a_line_for_each_member(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, true);
    write_sample(&j);
    assert_slice(ww_buf_str(&b), "{\n"
                                 "  \"s\": \"x\",\n"
                                 "  \"none\": null,\n"
                                 "  \"empty\": \"\",\n"
                                 "  \"list\": [\n"
                                 "    1,\n"
                                 "    {},\n"
                                 "    [],\n"
                                 "    true\n"
                                 "  ],\n"
                                 "  \"no\": false,\n"
                                 "  \"null\": null,\n"
                                 "  \"half\": 0.5\n"
                                 "}\n");
    ww_buf_release(&b);
}

static void both_forms_mean_the_same(void **state)
{
    json_t *value[2];

    for (int pretty = 0; pretty < 2; pretty++) {
        struct ww_buf b;
        struct ww_json j;

        ww_buf_init(&b, SIZE_MAX);
        ww_json_init(&j, &b, pretty);
        write_sample(&j);
        value[pretty] = parsed(&b);
        ww_buf_release(&b);
    }
    assert_true(json_equal(value[0], value[1]));
    json_decref(value[0]);
    json_decref(value[1]);
}

static void one_writer_writes_a_text_on_each_line(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, false);
    for (int i = 0; i < 3; i++) {
        ww_json_int(&j, NULL, i);
        ww_json_finish(&j);
    }
    assert_slice(ww_buf_str(&b), "0\n1\n2\n");
    ww_buf_release(&b);
}

/* Writes s as a value and as a key, reads both back. */
static void comes_back_as(ww_str s, ww_str want)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, false);
    ww_json_str(&j, NULL, s);
    ww_json_finish(&j);
    for (size_t i = 0; i + 1 < b.len; i++)
        assert_true((unsigned char)b.ptr[i] >= 0x20 && b.ptr[i] != 0x7f);

    json_t *value = parsed(&b);

    assert_true(json_is_string(value));
    assert_int_equal(json_string_length(value), want.len);
    assert_memory_equal(json_string_value(value), want.ptr, want.len);
    json_decref(value);
    ww_buf_release(&b);
}

struct string_case {
    ww_str in;
    ww_str want;
};

static void string_comes_back(void **state)
{
    const struct string_case *c = *state;

    comes_back_as(c->in, c->want);
}

static void any_bytes_come_back_or_are_replaced(void **state)
{
    for (unsigned n = 0; n < 65536; n++) {
        char in[] = { (char)(n >> 8), (char)(n & 255), 'z' };
        char want[16];
        size_t len = 0;

        for (size_t i = 0; i < sizeof(in);) {
            size_t bytes = ww_utf8_len(ww_str_n(in + i, sizeof(in) - i));

            memcpy(want + len, bytes == 0 ? "\xef\xbf\xbd" : in + i, bytes == 0 ? 3 : bytes);
            len += bytes == 0 ? 3 : bytes;
            i += bytes == 0 ? 1 : bytes;
        }
        comes_back_as(ww_str_n(in, sizeof(in)), ww_str_n(want, len));
    }
}

/* What may not stand raw in the text itself, whoever shows it. */
static void what_deceives_is_escaped(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    (void)state;
    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, false);
    ww_json_str(
        &j, NULL,
        WW_STR("\xe2\x80\xae\xe2\x80\xa8\xc2\x9b\xef\xbb\xbf\xf3\xa0\x81\x81</script><!--<p>"));
    ww_json_finish(&j);
    assert_slice(ww_buf_str(&b), "\"\\u202e\\u2028\\u009b\\ufeff\\udb40\\udc41\\u003c/script>"
                                 "\\u003c!--<p>\"\n");
    ww_buf_release(&b);
}

static void keys_are_escaped_as_well(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, true);
    ww_json_obj(&j, NULL);
    ww_json_int(&j, "a\"b\\c\n\xff", 1);
    ww_json_int(&j, "", 2);
    ww_json_end(&j);
    ww_json_finish(&j);

    json_t *value = parsed(&b);

    assert_int_equal(json_integer_value(json_object_get(value, "a\"b\\c\n\xef\xbf\xbd")), 1);
    assert_int_equal(json_integer_value(json_object_get(value, "")), 2);
    json_decref(value);
    ww_buf_release(&b);
}

static void integers_come_back_exactly(void **state)
{
    static const int64_t number[] = { 0, 1, -1, INT64_C(1) << 53, INT64_MAX, INT64_MIN };

    for (size_t i = 0; i < COUNT(number); i++) {
        struct ww_buf b;
        struct ww_json j;

        ww_buf_init(&b, 64);
        ww_json_init(&j, &b, false);
        ww_json_int(&j, NULL, number[i]);

        json_t *value = parsed(&b);

        assert_true(json_is_integer(value));
        assert_true(json_integer_value(value) == number[i]);
        json_decref(value);
        ww_buf_release(&b);
    }
}

static void numbers_come_back_and_what_is_not_finite_is_null(void **state)
{
    static const double number[] = { 0, -0.5, 1e300, 1e-300, 123456.789, 99.99, 1.0 / 3 };
    static const double none[] = { NAN, INFINITY, -INFINITY };
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, false);
    ww_json_arr(&j, NULL);
    for (size_t i = 0; i < COUNT(number); i++)
        ww_json_num(&j, NULL, number[i]);
    for (size_t i = 0; i < COUNT(none); i++)
        ww_json_num(&j, NULL, none[i]);
    ww_json_end(&j);

    json_t *list = parsed(&b);

    for (size_t i = 0; i < COUNT(number); i++) {
        double back = json_number_value(json_array_get(list, i));

        assert_true(fabs(back - number[i]) <= fabs(number[i]) * 1e-9);
    }
    for (size_t i = 0; i < COUNT(none); i++)
        assert_true(json_is_null(json_array_get(list, COUNT(number) + i)));
    json_decref(list);
    ww_buf_release(&b);
}

static void deepest_nesting_is_well_formed(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, SIZE_MAX);
    ww_json_init(&j, &b, true);
    for (int i = 0; i < WW_JSON_DEPTH; i++)
        if (i % 2 == 0)
            ww_json_obj(&j, NULL);
        else
            ww_json_arr(&j, "k");
    while (j.depth > 0)
        ww_json_end(&j);
    ww_json_finish(&j);
    json_decref(parsed(&b));
    ww_buf_release(&b);
}

static void full_buffer_is_marked_and_writing_goes_on_harmlessly(void **state)
{
    struct ww_buf b;
    struct ww_json j;

    ww_buf_init(&b, 10);
    ww_json_init(&j, &b, true);
    write_sample(&j);
    assert_true(b.full);
    assert_true(b.len <= 10);
    ww_buf_release(&b);
}

static struct ww_buf scrap;

static struct ww_json *fresh(void)
{
    static struct ww_json j;

    ww_buf_init(&scrap, 4096);
    ww_json_init(&j, &scrap, false);
    return &j;
}

static void key_at_the_top(void)
{
    ww_json_int(fresh(), "k", 1);
}

static void key_in_an_array(void)
{
    struct ww_json *j = fresh();

    ww_json_arr(j, NULL);
    ww_json_str(j, "k", WW_STR("v"));
}

static void no_key_in_an_object(void)
{
    struct ww_json *j = fresh();

    ww_json_obj(j, NULL);
    ww_json_null(j, NULL);
}

static void end_without_begin(void)
{
    ww_json_end(fresh());
}

static void finish_while_open(void)
{
    struct ww_json *j = fresh();

    ww_json_arr(j, NULL);
    ww_json_finish(j);
}

static void finish_without_a_value(void)
{
    ww_json_finish(fresh());
}

static void two_values_at_the_top(void)
{
    struct ww_json *j = fresh();

    ww_json_obj(j, NULL);
    ww_json_end(j);
    ww_json_obj(j, NULL);
}

static void one_level_too_deep(void)
{
    struct ww_json *j = fresh();

    for (int i = 0; i <= WW_JSON_DEPTH; i++)
        ww_json_arr(j, NULL);
}

static void deep_enough(void)
{
    struct ww_json *j = fresh();

    for (int i = 0; i < WW_JSON_DEPTH; i++)
        ww_json_arr(j, NULL);
}

static void misuse_aborts(void **state)
{
    assert_true(aborts(key_at_the_top));
    assert_true(aborts(key_in_an_array));
    assert_true(aborts(no_key_in_an_object));
    assert_true(aborts(end_without_begin));
    assert_true(aborts(finish_while_open));
    assert_true(aborts(finish_without_a_value));
    assert_true(aborts(two_values_at_the_top));
    assert_true(aborts(one_level_too_deep));
    assert_false(aborts(deep_enough));
}

#define STRING(name_, in_, want_)                                                              \
    {                                                                                          \
        .name = "string: " name_, .test_func = string_comes_back,                              \
        .initial_state = &(struct string_case)                                                 \
        {                                                                                      \
            { in_, sizeof(in_) - 1 },                                                          \
            {                                                                                  \
                want_, sizeof(want_) - 1                                                       \
            }                                                                                  \
        }                                                                                      \
    }
#define SAME(name_, in_) STRING(name_, in_, in_)
#define FFFD             "\xef\xbf\xbd"

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(compact_form_has_no_spaces),
    cmocka_unit_test(pretty_form_has_a_line_for_each_member),
    cmocka_unit_test(both_forms_mean_the_same),
    cmocka_unit_test(one_writer_writes_a_text_on_each_line),
    SAME("empty", ""),
    SAME("quotes and backslashes", "\"\\\"\\\\u0041"),
    SAME("control bytes", "\0\1\b\t\n\f\r\x1b\x1f\x7f"),
    SAME("UTF-8 up to U+10FFFF", "\xc3\xbc\xe2\x80\xa8\xf4\x8f\xbf\xbf"),
    SAME("markup", "</script><!--"),
    STRING("a lone byte is replaced",
           "a\xff"
           "b",
           "a" FFFD "b"),
    STRING("a surrogate is replaced", "\xed\xa0\x80", FFFD FFFD FFFD),
    STRING("an overlong quote is replaced", "\xc0\xa2", FFFD FFFD),
    STRING("a cut character does not eat the closing quote", "\xf0\x9f", FFFD FFFD),
    cmocka_unit_test(any_bytes_come_back_or_are_replaced),
    cmocka_unit_test(what_deceives_is_escaped),
    cmocka_unit_test(keys_are_escaped_as_well),
    cmocka_unit_test(integers_come_back_exactly),
    cmocka_unit_test(numbers_come_back_and_what_is_not_finite_is_null),
    cmocka_unit_test(deepest_nesting_is_well_formed),
    cmocka_unit_test(full_buffer_is_marked_and_writing_goes_on_harmlessly),
    cmocka_unit_test(misuse_aborts),
};

int main(void)
{
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
