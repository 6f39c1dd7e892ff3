/* Hashes: known answers, and what a keyed one hides and keeps equal. */
#include "check.h"

#include <whichworker/mac.h>

#include <stdio.h>

static void keyed_hash_has_the_known_answer(void **state)
{
    struct ww_mac_key key;
    char mac[WW_MAC_TEXT];

    for (size_t i = 0; i < WW_MAC_KEY; i++)
        key.byte[i] = (unsigned char)i;
    ww_mac(&key, WW_STR("secret"), mac);
    assert_string_equal(mac, "1fb0395656807e0bf4720bb9");
}

static void equal_values_have_equal_macs_under_one_key_only(void **state)
{
    struct ww_mac_key one;
    struct ww_mac_key other;
    char copy[] = "session=abc";
    char a[WW_MAC_TEXT];
    char b[WW_MAC_TEXT];

    ww_mac_key_random(&one);
    ww_mac_key_random(&other);
    assert_memory_not_equal(one.byte, other.byte, WW_MAC_KEY);
    ww_mac(&one, WW_STR("session=abc"), a);
    ww_mac(&one, ww_str_c(copy), b);
    assert_string_equal(a, b);
    ww_mac(&one, WW_STR("session=abd"), b);
    assert_string_not_equal(a, b);
    ww_mac(&one, WW_STR("session=abc\0"), b);
    assert_string_not_equal(a, b);
    ww_mac(&other, WW_STR("session=abc"), b);
    assert_string_not_equal(a, b);
}

static void mac_is_24_hex_digits_for_every_length(void **state)
{
    static const char bytes[1000];
    struct ww_mac_key key;

    ww_mac_key_random(&key);
    for (size_t len = 0; len <= sizeof(bytes); len += 125) {
        char mac[WW_MAC_TEXT + 1] = { 0 };

        mac[WW_MAC_TEXT] = 'g';
        ww_mac(&key, ww_str_n(bytes, len), mac);
        assert_int_equal(strlen(mac), WW_MAC_TEXT - 1);
        assert_int_equal(strspn(mac, "0123456789abcdef"), WW_MAC_TEXT - 1);
        assert_int_equal(mac[WW_MAC_TEXT], 'g');
    }
}

static void absent_is_hashed_as_empty(void **state)
{
    struct ww_mac_key key;
    char a[WW_MAC_TEXT];
    char b[WW_MAC_TEXT];

    ww_mac_key_random(&key);
    ww_mac(&key, (ww_str){ 0 }, a);
    ww_mac(&key, WW_STR(""), b);
    assert_string_equal(a, b);
}

struct hash_case {
    ww_str in;
    const char *want;
};

static void hash_has_the_known_answer(void **state)
{
    const struct hash_case *c = *state;
    unsigned char hash[WW_HASH_BYTES];
    char text[2 * WW_HASH_BYTES + 1];

    ww_hash(c->in, hash);
    for (size_t i = 0; i < WW_HASH_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(text, c->want);
}

static void random_bytes_fill_exactly_what_was_asked(void **state)
{
    unsigned char one[64] = { 0 };
    unsigned char other[64] = { 0 };
    static const unsigned char zero[32];

    ww_random(one, 32);
    ww_random(other, 32);
    assert_memory_not_equal(one, other, 32);
    assert_memory_equal(one + 32, zero, 32);
    ww_random(one + 32, 0);
    assert_memory_equal(one + 32, zero, 32);
}

#define S(literal)                                                                             \
    {                                                                                          \
        literal, sizeof(literal) - 1                                                           \
    }
#define HASH(name_, in_, want_)                                                                \
    {                                                                                          \
        .name = "BLAKE2b-256 of " name_, .test_func = hash_has_the_known_answer,               \
        .initial_state = &(struct hash_case)                                                   \
        {                                                                                      \
            in_, want_                                                                         \
        }                                                                                      \
    }
#define HASH_OF_NOTHING "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keyed_hash_has_the_known_answer),
    cmocka_unit_test(equal_values_have_equal_macs_under_one_key_only),
    cmocka_unit_test(mac_is_24_hex_digits_for_every_length),
    cmocka_unit_test(absent_is_hashed_as_empty),
    HASH("empty", S(""), HASH_OF_NOTHING),
    HASH("absent", { 0 }, HASH_OF_NOTHING),
    HASH("abc", S("abc"), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
    cmocka_unit_test(random_bytes_fill_exactly_what_was_asked),
};

int main(void)
{
    return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
