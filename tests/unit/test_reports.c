/* Which reports are asked for, and that a file of one is there whole or not at all. */
#include "check.h"
#include "place.h"
#include "reports.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- the list */

static int add(struct reports *r, struct ww_err *err, const char *list)
{
    *err = (struct ww_err){ 0 };
    return reports_add(r, ww_str_c(list), err);
}

static void a_list_names_formats_and_files(void **state)
{
    struct reports r = { 0 };
    struct ww_err err;

    (void)state;
    assert_int_equal(add(&r, &err, "json=a.json,text=out/b=c.txt"), WW_OK);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.file[0].format->name, "json");
    assert_slice(r.file[0].path, "a.json");
    assert_string_equal(r.file[1].format->name, "text");
    assert_slice(r.file[1].path, "out/b=c.txt");
}

static void the_last_file_of_a_format_holds(void **state)
{
    struct reports r = { 0 };
    struct ww_err err;

    (void)state;
    assert_int_equal(add(&r, &err, "json=a"), WW_OK);
    assert_int_equal(add(&r, &err, "text=b,json=c"), WW_OK);
    assert_int_equal(r.n, 2);
    assert_slice(r.file[0].path, "c");
}

static void a_list_with_a_mistake_is_refused(void **state)
{
    static const char *const wrong[] = { "",        "json",    "json=",  "=x",    "xml=a",
                                         "json=a,", ",json=a", "JSON=a", "json a" };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct reports r = { 0 };
        struct ww_err err;

        assert_int_equal(add(&r, &err, wrong[i]), WW_EUSAGE);
        assert_true(err.text[0] != '\0');
    }
}

static void there_is_a_place_for_each_format(void **state)
{
    struct reports r = { 0 };
    struct ww_err err;

    (void)state;
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++) {
        char list[64];

        snprintf(list, sizeof(list), "%s=x", f->name);
        assert_int_equal(add(&r, &err, list), WW_OK);
        assert_true((f->render != NULL) != (f->stream != NULL));
        assert_true(f->help[0] != '\0' && f->extension[0] != '\0' && f->mime[0] != '\0');
    }
}

/* ---- the place */

struct box {
    char directory[64];
    char path[96];
    struct ww_err err;
};

static int make_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    snprintf(b->directory, sizeof(b->directory), "/tmp/ww-place-XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    snprintf(b->path, sizeof(b->path), "%s/report.xml", b->directory);
    *state = b;
    return 0;
}

/* How many names there are in the box. */
static unsigned names(const struct box *b)
{
    DIR *d = opendir(b->directory);
    unsigned n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static int remove_box(void **state)
{
    struct box *b = *state;
    char command[96];

    snprintf(command, sizeof(command), "rm -r '%s'", b->directory);
    assert_int_equal(system(command), 0); /* NOLINT */
    free(b);
    return 0;
}

static void put(struct box *b, const char *path, const char *text)
{
    struct place p;

    assert_int_equal(place_open(&p, ww_str_c(path), false, &b->err), WW_OK);
    assert_int_equal(write(p.fd, text, strlen(text)), strlen(text));
    assert_int_equal(place_put(&p, &b->err), WW_OK);
    place_close(&p);
}

static void assert_holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, text);
}

static void a_file_appears_only_when_it_is_put(void **state)
{
    struct box *b = *state;
    struct place p;

    assert_int_equal(place_open(&p, ww_str_c(b->path), false, &b->err), WW_OK);
    assert_int_equal(write(p.fd, "half", 4), 4);
    assert_int_equal(access(b->path, F_OK), -1);
    assert_int_equal(place_put(&p, &b->err), WW_OK);
    place_close(&p);
    assert_holds(b->path, "half");
    assert_int_equal(names(b), 1);
}

static void an_old_file_stays_until_then(void **state)
{
    struct box *b = *state;
    struct place p;

    put(b, b->path, "old and longer");
    assert_int_equal(place_open(&p, ww_str_c(b->path), false, &b->err), WW_OK);
    assert_int_equal(write(p.fd, "new", 3), 3);
    place_close(&p);
    assert_holds(b->path, "old and longer");
    put(b, b->path, "new");
    assert_holds(b->path, "new");
    assert_int_equal(names(b), 1);
}

static void a_link_is_followed(void **state)
{
    struct box *b = *state;
    char link[96];
    struct stat st;

    snprintf(link, sizeof(link), "%s/link", b->directory);
    put(b, b->path, "old");
    assert_int_equal(symlink("report.xml", link), 0);
    put(b, link, "new");
    assert_holds(b->path, "new");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void what_shows_bodies_is_the_owners_alone(void **state)
{
    struct box *b = *state;
    mode_t before = umask(022);
    struct place p;
    struct stat st;

    for (int is_private = 0; is_private < 2; is_private++) {
        assert_int_equal(place_open(&p, ww_str_c(b->path), is_private == 1, &b->err), WW_OK);
        assert_int_equal(place_put(&p, &b->err), WW_OK);
        place_close(&p);
        assert_int_equal(stat(b->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, is_private == 1 ? 0600 : 0644);
    }
    umask(before);
}

static void a_device_stays_a_device(void **state)
{
    struct box *b = *state;
    struct stat st;

    put(b, "/dev/null", "gone");
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(place_check(WW_STR("/dev/null"), &b->err), WW_OK);
}

/* As with "> FILE" and /dev/stdout. */
static void a_descriptor_is_written_to_and_not_replaced(void **state)
{
    struct box *b = *state;
    char path[64];
    struct stat before, after;
    int fd = open(b->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(write(fd, "before ", 7), 7);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    put(b, path, "text");
    assert_int_equal(stat(b->path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_holds(b->path, "before text");
    close(fd);
}

static void a_pipe_is_not_waited_for(void **state)
{
    struct box *b = *state;

    assert_int_equal(mkfifo(b->path, 0600), 0);
    alarm(10);
    assert_int_equal(place_check(ww_str_c(b->path), &b->err), WW_OK);
    alarm(0);
}

static void a_place_that_cannot_be_is_told_at_once(void **state)
{
    struct box *b = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/absent/report.xml", b->directory);
    assert_int_equal(place_check(ww_str_c(path), &b->err), WW_ESYSTEM);
    assert_non_null(strstr(b->err.text, path));
    assert_int_equal(place_check(ww_str_c(b->directory), &b->err), WW_ESYSTEM);
    assert_non_null(strstr(b->err.text, strerror(EISDIR)));
    assert_int_equal(place_check(ww_str_c(b->path), &b->err), WW_OK);
    assert_int_equal(names(b), 0);
}

static int refuse(const struct ww_report *r, const struct ww_report_sink *sink,
                  struct ww_err *err)
{
    (void)r;
    if (sink->write(sink->ctx, WW_STR("half of it"), err) < 0)
        return err->code;
    return ww_err_set(err, WW_EINPUT, "the trace is damaged");
}

static void a_renderer_that_fails_leaves_nothing(void **state)
{
    static const struct ww_report_format broken = { .name = "broken", .stream = refuse };
    struct box *b = *state;
    struct ww_report report = { 0 };

    assert_int_equal(report_write(&broken, ww_str_c(b->path), &report, &b->err), WW_EINPUT);
    assert_string_equal(b->err.text, "the broken report: the trace is damaged");
    assert_int_equal(names(b), 0);
}

static void one_that_fails_does_not_keep_the_others(void **state)
{
    struct box *b = *state;
    struct ww_verdict v = { .why = WW_STR("nothing was seen") };
    struct ww_report report = { .verdict = &v };
    struct reports r = { 0 };

    assert_int_equal(reports_add(&r, WW_STR("text=/absent/x,json=y"), &b->err), WW_OK);
    r.file[1].path = ww_str_c(b->path);
    assert_int_equal(reports_check(&r, &b->err), WW_ESYSTEM);
    assert_int_equal(reports_write(&r, &report, &b->err), WW_ESYSTEM);
    assert_non_null(strstr(b->err.text, "the text report: cannot write '/absent/x'"));
    assert_int_equal(access(b->path, F_OK), 0);
}

#define IN_BOX(f) cmocka_unit_test_setup_teardown(f, make_box, remove_box)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_names_formats_and_files),
        cmocka_unit_test(the_last_file_of_a_format_holds),
        cmocka_unit_test(a_list_with_a_mistake_is_refused),
        cmocka_unit_test(there_is_a_place_for_each_format),
        IN_BOX(a_file_appears_only_when_it_is_put),
        IN_BOX(an_old_file_stays_until_then),
        IN_BOX(a_link_is_followed),
        IN_BOX(what_shows_bodies_is_the_owners_alone),
        IN_BOX(a_device_stays_a_device),
        IN_BOX(a_descriptor_is_written_to_and_not_replaced),
        IN_BOX(a_pipe_is_not_waited_for),
        IN_BOX(a_place_that_cannot_be_is_told_at_once),
        IN_BOX(a_renderer_that_fails_leaves_nothing),
        IN_BOX(one_that_fails_does_not_keep_the_others),
    };

    return cmocka_run_group_tests_name("reports", tests, NULL, NULL);
}
