/* Units: times and sizes in both directions, timestamps, HTTP dates. */
#include "check.h"

#include <whichworker/units.h>

#include <stdio.h>

struct unit_case {
    ww_str text;
    bool ok;
    uint64_t value;
    const char *back; /* the shortest spelling */
};

static void time_reads_and_writes(void **state)
{
    const struct unit_case *c = *state;
    struct ww_err err = { 0 };
    uint32_t ms = 77;
    char back[16];

    if (!c->ok) {
        assert_int_equal(ww_units_msec(c->text, &ms, &err), WW_EUSAGE);
        assert_int_equal(ms, 77);
        assert_non_null(strstr(err.text, "write a number with ms, s, m or h, as in 300ms"));
        return;
    }
    assert_int_equal(ww_units_msec(c->text, &ms, &err), WW_OK);
    assert_int_equal(ms, c->value);
    ww_units_msec_text(ms, back);
    assert_string_equal(back, c->back);
    assert_int_equal(ww_units_msec(ww_str_c(back), &ms, NULL), WW_OK);
    assert_int_equal(ms, c->value);
}

static void size_reads_and_writes(void **state)
{
    const struct unit_case *c = *state;
    struct ww_err err = { 0 };
    uint64_t bytes = 77;
    char back[24];

    if (!c->ok) {
        assert_int_equal(ww_units_size(c->text, &bytes, &err), WW_EUSAGE);
        assert_int_equal(bytes, 77);
        assert_non_null(strstr(err.text, "with k, M or G, as in 64k"));
        return;
    }
    assert_int_equal(ww_units_size(c->text, &bytes, &err), WW_OK);
    assert_true(bytes == c->value);
    ww_units_size_text(bytes, back);
    assert_string_equal(back, c->back);
    assert_int_equal(ww_units_size(ww_str_c(back), &bytes, NULL), WW_OK);
    assert_true(bytes == c->value);
}

static void largest_values_have_a_text(void **state)
{
    char ms[16];
    char bytes[24];

    ww_units_msec_text(UINT32_MAX, ms);
    assert_string_equal(ms, "4294967295ms");
    ww_units_size_text(UINT64_MAX, bytes);
    assert_string_equal(bytes, "18446744073709551615");
}

struct stamp_case {
    int64_t wall_us;
    const char *want;
};

static void timestamp_is_written(void **state)
{
    const struct stamp_case *c = *state;
    char text[WW_TIME_TEXT];

    ww_time_text(c->wall_us, text);
    assert_string_equal(text, c->want);
    assert_int_equal(strlen(text), WW_TIME_TEXT - 1);
}

struct date_case {
    ww_str text;
    bool ok;
    int64_t seconds;
};

static void date_reads(void **state)
{
    const struct date_case *c = *state;
    int64_t seconds = 77;

    assert_int_equal(ww_time_http(c->text, &seconds), c->ok);
    assert_true(seconds == (c->ok ? c->seconds : 77));
}

static void clocks_go_forward(void **state)
{
    int64_t before = ww_clock_mono_us();

    assert_true(ww_clock_mono_us() >= before);
    /* 2020-01-01: the wall clock counts microseconds since 1970, not another unit. */
    assert_true(ww_clock_wall_us() > INT64_C(1577836800000000));
    assert_true(ww_clock_wall_us() < INT64_C(1577836800000000) * 10);
}

/* clang-format off */
#define S(literal) { "" literal, sizeof(literal) - 1 }
#define ROW(what_, func_, text_, ok_, value_, back_)                                           \
    { .name = what_ " '" text_ "'", .test_func = func_,                                        \
      .initial_state = &(struct unit_case){ S(text_), ok_, value_, back_ } }
#define TIME(text_, ms_, back_)    ROW("time", time_reads_and_writes, text_, true, ms_, back_)
#define NO_TIME(text_)             ROW("no time", time_reads_and_writes, text_, false, 0, NULL)
#define SIZE(text_, bytes_, back_)                                                             \
    ROW("size", size_reads_and_writes, text_, true, bytes_, back_)
#define NO_SIZE(text_)             ROW("no size", size_reads_and_writes, text_, false, 0, NULL)
#define STAMP(wall_us_, want_)                                                                 \
    { .name = "timestamp " want_ " of " #wall_us_, .test_func = timestamp_is_written,          \
      .initial_state = &(struct stamp_case){ wall_us_, want_ } }
#define DATE(text_, seconds_)                                                                  \
    { .name = "date '" text_ "'", .test_func = date_reads,                                     \
      .initial_state = &(struct date_case){ S(text_), true, seconds_ } }
#define NO_DATE(name_, text_)                                                                  \
    { .name = "no date: " name_, .test_func = date_reads,                                      \
      .initial_state = &(struct date_case){ text_, false, 0 } }
#define NO_STAMP "0000-00-00T00:00:00.000000Z"

static const struct CMUnitTest tests[] = {
    TIME("0", 0, "0"), TIME("0ms", 0, "0"), TIME("0h", 0, "0"), TIME("1ms", 1, "1ms"),
    TIME("300ms", 300, "300ms"), TIME("1000ms", 1000, "1s"), TIME("5s", 5000, "5s"),
    TIME("90s", 90000, "90s"), TIME("1500ms", 1500, "1500ms"), TIME("60s", 60000, "1m"),
    TIME("2m", 120000, "2m"), TIME("60m", 3600000, "1h"), TIME("1h", 3600000, "1h"),
    TIME("24h", 86400000, "24h"), TIME("596h", 2145600000, "596h"),
    TIME("007s", 7000, "7s"), TIME("2147483647ms", 2147483647, "2147483647ms"),
    NO_TIME("2147483648ms"), NO_TIME("597h"), NO_TIME("9999999999999999999h"),
    NO_TIME("5124095576030431h"), NO_TIME("18446744073709551616ms"),
    NO_TIME(""), NO_TIME("5"), NO_TIME("300"), NO_TIME("00"), NO_TIME("s"), NO_TIME("ms"),
    NO_TIME("-1s"), NO_TIME("+1s"), NO_TIME("1.5s"), NO_TIME(" 1s"), NO_TIME("1 s"),
    NO_TIME("1s "), NO_TIME("1S"), NO_TIME("1d"), NO_TIME("1us"), NO_TIME("1ss"),
    NO_TIME("1m30s"), NO_TIME("1s\0"),
    SIZE("0", 0, "0"), SIZE("0G", 0, "0"), SIZE("1", 1, "1"), SIZE("512", 512, "512"),
    SIZE("1024", 1024, "1k"), SIZE("64k", 65536, "64k"), SIZE("1025", 1025, "1025"),
    SIZE("1M", 1048576, "1M"), SIZE("1024k", 1048576, "1M"), SIZE("1536k", 1572864, "1536k"),
    SIZE("2G", UINT64_C(2147483648), "2G"), SIZE("4G", UINT64_C(4294967296), "4G"),
    SIZE("1048576G", UINT64_C(1) << 50, "1048576G"),
    SIZE("1125899906842623", (UINT64_C(1) << 50) - 1, "1125899906842623"),
    NO_SIZE("1048577G"), NO_SIZE("1125899906842625"), NO_SIZE("9999999999999999999G"),
    NO_SIZE("17179869184G"), NO_SIZE("18446744073709551616"),
    NO_SIZE(""), NO_SIZE("k"), NO_SIZE("-1"), NO_SIZE("1K"), NO_SIZE("1m"), NO_SIZE("1g"),
    NO_SIZE("1kB"), NO_SIZE("1.5M"), NO_SIZE("1 k"), NO_SIZE("0x10"), NO_SIZE("1T"),
    cmocka_unit_test(largest_values_have_a_text),
    STAMP(0, "1970-01-01T00:00:00.000000Z"),
    STAMP(INT64_C(1769903999123456), "2026-01-31T23:59:59.123456Z"),
    STAMP(INT64_C(951782400000001), "2000-02-29T00:00:00.000001Z"),
    STAMP(-1, "1969-12-31T23:59:59.999999Z"),
    STAMP(-1000000, "1969-12-31T23:59:59.000000Z"),
    STAMP(-1000001, "1969-12-31T23:59:58.999999Z"),
    STAMP(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"),
    STAMP(INT64_C(253402300800000000), NO_STAMP),
    STAMP(INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z"),
    STAMP(INT64_C(-62167219200000001), NO_STAMP),
    STAMP(INT64_MAX, NO_STAMP), STAMP(INT64_MIN, NO_STAMP),
    DATE("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
    DATE("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
    DATE("Sun Nov  6 08:49:37 1994", 784111777),
    DATE("Sun Nov 16 08:49:37 1994", 784975777),
    DATE("Sun, 06-Nov-1994 08:49:37 GMT", 784111777),
    DATE("Sun, 06-Nov-94 08:49:37 GMT", 784111777),
    DATE("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    DATE("Thursday, 01-Jan-70 00:00:00 GMT", 0),
    DATE("Thu, 01-Jan-1970 00:00:01 GMT", 1),
    DATE("Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648)),
    DATE("Tuesday, 19-Jan-38 03:14:08 GMT", INT64_C(2147483648)),
    DATE("Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)),
    DATE("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
    DATE("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
    NO_DATE("nothing", S("")), NO_DATE("absent", { 0 }), NO_DATE("zero", S("0")),
    NO_DATE("minus one", S("-1")), NO_DATE("another zone", S("Sun, 06 Nov 1994 08:49:37 CET")),
    NO_DATE("no zone", S("Sun, 06 Nov 1994 08:49:37")),
    NO_DATE("text behind", S("Sun, 06 Nov 1994 08:49:37 GMT x")),
    NO_DATE("a NUL and text behind", S("Sun, 06 Nov 1994 08:49:37 GMT\0x")),
    NO_DATE("a NUL behind", S("Sun Nov  6 08:49:37 1994\0")),
    NO_DATE("the 30th of February", S("Fri, 30 Feb 2024 00:00:00 GMT")),
    NO_DATE("the 29th of February 2023", S("Wed, 29 Feb 2023 00:00:00 GMT")),
    NO_DATE("the 31st of April", S("Tue Apr 31 00:00:00 2024")),
    NO_DATE("the 32nd", S("Sun, 32 Nov 1994 08:49:37 GMT")),
    NO_DATE("25 o'clock", S("Sun, 06 Nov 1994 25:49:37 GMT")),
    NO_DATE("no such month", S("Sun, 06 Nox 1994 08:49:37 GMT")),
    NO_DATE("longer than any", S("Sunday, 06-Nov-94 08:49:37 GMT                      "
                                 "                                                ")),
    cmocka_unit_test(clocks_go_forward),
};
/* clang-format on */

int main(void)
{
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
