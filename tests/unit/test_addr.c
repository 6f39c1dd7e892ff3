/* Addresses: every form that users write, what is refused and how, what is loopback. */
#include "check.h"

#include <whichworker/addr.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define S(literal)                                                                             \
    {                                                                                          \
        "" literal, sizeof(literal) - 1                                                        \
    }

struct form_case {
    ww_str text;
    const char *want;
    int family;
    uint16_t port;
    bool loopback;
};

static void form_is_read(void **state)
{
    const struct form_case *c = *state;
    struct ww_addr a;
    struct ww_err err = { 0 };

    if (ww_addr_parse(c->text, "--listen", &a, &err) != WW_OK)
        fail_msg("%s", err.text);
    assert_string_equal(a.text, c->want);
    assert_int_equal(a.sa.ss_family, c->family);
    assert_int_equal(ww_addr_port(&a), c->port);
    assert_int_equal(ww_addr_is_loopback(&a), c->loopback);

    struct ww_addr again;

    assert_int_equal(ww_addr_parse(ww_str_c(a.text), "again", &again, NULL), WW_OK);
    assert_int_equal(again.len, a.len);
    assert_memory_equal(&again.sa, &a.sa, a.len);
}

static void localhost_is_loopback_in_either_family(void **state)
{
    struct ww_addr a;

    assert_int_equal(ww_addr_parse(WW_STR("localhost:81"), "--listen", &a, NULL), WW_OK);
    assert_true(ww_addr_is_loopback(&a));
    assert_int_equal(ww_addr_port(&a), 81);
}

struct refused_case {
    ww_str text;
    const char *why;
};

static void form_is_refused(void **state)
{
    const struct refused_case *c = *state;
    struct ww_addr a;
    struct ww_addr before;
    struct ww_err err = { 0 };

    memset(&a, 0x5a, sizeof(a));
    memcpy(&before, &a, sizeof(a));
    assert_int_equal(ww_addr_parse(c->text, "--upstream", &a, &err), WW_EUSAGE);
    assert_memory_equal(&a, &before, sizeof(a));
    assert_ptr_equal(strstr(err.text, "--upstream: "), err.text);
    if (strstr(err.text, c->why) == NULL)
        fail_msg("'%s' is not in: %s", c->why, err.text);
    assert_non_null(
        strstr(err.text, "; write host:port, [v6]:port, unix:/path or http://host:port"));
    assert_int_equal(ww_addr_parse(c->text, "--upstream", &a, NULL), WW_EUSAGE);
}

static void host_that_cannot_be_resolved_is_named(void **state)
{
    struct ww_addr a;
    struct ww_err err = { 0 };

    assert_int_equal(ww_addr_parse(WW_STR("not a host:80"), "--upstream", &a, &err), WW_EUSAGE);
    assert_ptr_equal(strstr(err.text, "--upstream: cannot resolve 'not a host': "), err.text);
}

static void unix_path(char *text, size_t path_len, char first)
{
    memcpy(text, "unix:", 5);
    memset(text + 5, 'p', path_len);
    text[5] = first;
    text[5 + path_len] = '\0';
}

static void longest_unix_path_fits_and_one_more_does_not(void **state)
{
    static const char first[] = { '/', '@' };
    char text[300];

    for (size_t i = 0; i < COUNT(first); i++) {
        struct ww_addr a;
        struct ww_err err = { 0 };

        unix_path(text, 107, first[i]);
        assert_int_equal(ww_addr_parse(ww_str_c(text), "--listen", &a, &err), WW_OK);
        assert_string_equal(a.text, text);
        assert_true(a.len <= sizeof(struct sockaddr_un));

        for (size_t len = 108; len < 290; len += 91) {
            unix_path(text, len, first[i]);
            assert_int_equal(ww_addr_parse(ww_str_c(text), "--listen", &a, &err), WW_EUSAGE);
            assert_non_null(strstr(err.text, "is too long for a Unix socket (107 bytes)"));
        }
    }
}

static void unix_address_is_what_the_kernel_wants(void **state)
{
    struct ww_addr path;
    struct ww_addr abstract;
    struct sockaddr_un un;

    assert_int_equal(ww_addr_parse(WW_STR("unix:/run/a"), "x", &path, NULL), WW_OK);
    memcpy(&un, &path.sa, sizeof(un));
    assert_string_equal(un.sun_path, "/run/a");
    assert_int_equal(path.len, offsetof(struct sockaddr_un, sun_path) + 7);

    assert_int_equal(ww_addr_parse(WW_STR("unix:@ab"), "x", &abstract, NULL), WW_OK);
    memcpy(&un, &abstract.sa, sizeof(un));
    assert_memory_equal(un.sun_path, "\0ab", 4);
    assert_int_equal(abstract.len, offsetof(struct sockaddr_un, sun_path) + 3);
}

static void abstract_socket_can_be_bound_and_reads_back(void **state)
{
    char name[64];
    struct ww_addr a;
    struct ww_addr back = { .len = sizeof(back.sa) };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name, sizeof(name), "unix:@whichworker-test-%d", (int)getpid());
    assert_int_equal(ww_addr_parse(ww_str_c(name), "x", &a, NULL), WW_OK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a.sa, a.len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&back.sa, &back.len), 0);
    ww_addr_format(&back);
    assert_string_equal(back.text, name);
    close(fd);
}

static void address_of_no_known_kind_has_a_text(void **state)
{
    struct ww_addr unnamed = { .sa.ss_family = AF_UNIX, .len = sizeof(sa_family_t) };
    struct ww_addr nothing = { 0 };

    ww_addr_format(&unnamed);
    assert_string_equal(unnamed.text, "unix:");
    ww_addr_format(&nothing);
    assert_string_equal(nothing.text, "unknown");
    assert_int_equal(ww_addr_port(&nothing), 0);
    assert_false(ww_addr_is_loopback(&nothing));
}

static void long_host_name_is_refused(void **state)
{
    char text[400];
    struct ww_addr a;
    struct ww_err err = { 0 };

    memset(text, 'h', 300);
    memcpy(text + 300, ":80", 4);
    assert_int_equal(ww_addr_parse(ww_str_c(text), "--upstream", &a, &err), WW_EUSAGE);
    assert_ptr_equal(strstr(err.text, "--upstream: "), err.text);
    assert_non_null(strstr(err.text, "has a host name that is too long"));
}

/* clang-format off */
#define FORM(text_, want_, family_, port_, loopback_)                                          \
    { .name = "form " text_, .test_func = form_is_read,                                        \
      .initial_state = &(struct form_case){ S(text_), want_, family_, port_, loopback_ } }
#define V4(text_, want_, port_, loopback_) FORM(text_, want_, AF_INET, port_, loopback_)
#define V6(text_, want_, port_, loopback_) FORM(text_, want_, AF_INET6, port_, loopback_)
#define UNIX(text_)                        FORM(text_, text_, AF_UNIX, 0, true)
#define REFUSED(text_, why_)                                                                   \
    { .name = "refused: '" text_ "'", .test_func = form_is_refused,                            \
      .initial_state = &(struct refused_case){ S(text_), why_ } }

static const struct CMUnitTest tests[] = {
    V4("127.0.0.1:8000", "127.0.0.1:8000", 8000, true),
    V4("127.255.255.254:1", "127.255.255.254:1", 1, true),
    V4("126.255.255.255:1", "126.255.255.255:1", 1, false),
    V4("128.0.0.1:1", "128.0.0.1:1", 1, false),
    V4("0.0.0.0:65535", "0.0.0.0:65535", 65535, false),
    V4("10.0.0.127:0", "10.0.0.127:0", 0, false),
    V4(":8000", "127.0.0.1:8000", 8000, true),
    V4("http://127.0.0.1:8000", "127.0.0.1:8000", 8000, true),
    V4("http://127.0.0.1:8000/", "127.0.0.1:8000", 8000, true),
    V4("http://10.1.2.3", "10.1.2.3:80", 80, false),
    V4("http://10.1.2.3/", "10.1.2.3:80", 80, false),
    V4("http://:9000", "127.0.0.1:9000", 9000, true),
    V6("[::1]:8000", "[::1]:8000", 8000, true),
    V6("[::]:8000", "[::]:8000", 8000, false),
    V6("[::2]:8000", "[::2]:8000", 8000, false),
    V6("[0:0:0:0:0:0:0:1]:1", "[::1]:1", 1, true),
    V6("[2001:db8::1]:443", "[2001:db8::1]:443", 443, false),
    V6("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", 80, true),
    V6("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80", 80, false),
    V6("http://[::1]", "[::1]:80", 80, true),
    V6("http://[::1]:8000/", "[::1]:8000", 8000, true),
    UNIX("unix:/run/app.sock"), UNIX("unix:relative.sock"), UNIX("unix:@abstract"),
    UNIX("unix:/a:b"), UNIX("unix:@a:1"),
    cmocka_unit_test(localhost_is_loopback_in_either_family),
    REFUSED("", "is not an address"), REFUSED("[::1", "is not an address"),
    REFUSED("[::1]x:80", "is not an address"), REFUSED("::1:80", "is not an address"),
    REFUSED("a:b:c", "is not an address"), REFUSED("[]:80", "is not an address"),
    REFUSED("http://", "is not an address"), REFUSED("http:///", "is not an address"),
    REFUSED("localhost", "has no port"), REFUSED("localhost:", "has no port"),
    REFUSED("[::1]", "has no port"), REFUSED("[::1]:", "has no port"),
    REFUSED(":", "has no port"), REFUSED("8000", "has no port"),
    REFUSED("localhost:65536", "has a port that is not a number from 0 to 65535"),
    REFUSED("localhost:http", "has a port that is not a number from 0 to 65535"),
    REFUSED("localhost:-1", "has a port that is not a number from 0 to 65535"),
    REFUSED("localhost: 80", "has a port that is not a number from 0 to 65535"),
    REFUSED("localhost:18446744073709551696", "has a port that is not a number"),
    REFUSED("[::1]:99999", "has a port that is not a number"),
    REFUSED("http://localhost/app", "has a path"),
    REFUSED("http://localhost:1/a/", "has a path"),
    REFUSED("https://localhost", "asks for TLS, which is not supported"),
    REFUSED("unix:", "has no path"), REFUSED("unix:@", "has no path"),
    cmocka_unit_test(host_that_cannot_be_resolved_is_named),
    cmocka_unit_test(long_host_name_is_refused),
    cmocka_unit_test(longest_unix_path_fits_and_one_more_does_not),
    cmocka_unit_test(unix_address_is_what_the_kernel_wants),
    cmocka_unit_test(abstract_socket_can_be_bound_and_reads_back),
    cmocka_unit_test(address_of_no_known_kind_has_a_text),
};
/* clang-format on */

int main(void)
{
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
