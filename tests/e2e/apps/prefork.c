/* e2e: a plain server in C; every answer is {"pid": of the process that gives it}. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS    4
#define BACKLOG    128
#define HEAD_BYTES 16384

static int listen_anywhere(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&sa, &len)) {
        perror("prefork: listen");
        exit(EXIT_FAILURE);
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(sa.sin_port));
    fflush(stdout);
    return fd;
}

/* Reads up to the head's end; false when the client has closed. *keep: may another one follow? */
static bool read_head(int fd, bool *keep)
{
    char head[HEAD_BYTES + 1];
    size_t len = 0;

    while (len < HEAD_BYTES) {
        ssize_t n = read(fd, head + len, HEAD_BYTES - len);

        if (n <= 0)
            return false;
        len += (size_t)n;
        head[len] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            *keep = strcasestr(head, "\r\nConnection: close") == NULL;
            return true;
        }
    }
    return false;
}

static void serve(int fd)
{
    char body[64];
    char answer[256];
    int size = snprintf(body, sizeof body, "{\"pid\": %ld}", (long)getpid());
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       size, body);
    bool keep = true;

    while (keep && read_head(fd, &keep))
        if (write(fd, answer, (size_t)len) != len)
            break;
    close(fd);
}

static int next_client(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd >= 0)
            return fd;
        if (errno != EINTR && errno != ECONNABORTED) {
            perror("prefork: accept");
            exit(EXIT_FAILURE);
        }
    }
}

static void prefork(int listener)
{
    for (int i = 0;; i++) {
        if (i >= WORKERS)
            wait(NULL);
        if (fork() == 0)
            for (;;)
                serve(next_client(listener));
    }
}

static void fork_for_each(int listener)
{
    for (;;) {
        int fd = next_client(listener);

        if (fork() == 0) {
            close(listener);
            serve(fd);
            _exit(EXIT_SUCCESS);
        }
        close(fd);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "prefork") != 0 && strcmp(argv[1], "fork") != 0)) {
        fprintf(stderr, "usage: prefork prefork|fork\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);

    int listener = listen_anywhere();

    if (strcmp(argv[1], "fork") == 0)
        fork_for_each(listener);
    prefork(listener);
    return EXIT_SUCCESS;
}
