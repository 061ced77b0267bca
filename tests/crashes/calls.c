/* Runs a program, and stops or fails one of the system calls that it makes on files below a folder.

       calls LOG FOLDER ACTION N PROGRAM [ARGUMENT...]

   ACTION is `count`; `kill` (the process ends before call N); `short` (call N, a write, writes half); or the number of an
   error, which call N returns without having been made. `error+` fails call N and every later call of the same name.
   Calls of all threads and children are counted in the order in which they begin, from 1. LOG has a line for each that
   ended: `name TAB result TAB path TAB other path TAB flags or size`, and a line `injected` for each that was not left alone.

   The program's exit code is passed on; 125 means that the tool failed, and 137 that the program was killed. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "registers are those of x86-64"
#endif

/* How to find the paths of a call. */
enum shape { DESCRIPTOR, AT, PATH, AT_AT, PATH_PATH };

struct kind {
    long number;
    const char *name;
    enum shape shape;
};

static const struct kind KINDS[] = {
    {SYS_openat, "open", AT},          {SYS_open, "open", PATH},           {SYS_creat, "open", PATH},
    {SYS_write, "write", DESCRIPTOR},  {SYS_pwrite64, "write", DESCRIPTOR}, {SYS_writev, "write", DESCRIPTOR},
    {SYS_ftruncate, "truncate", DESCRIPTOR},
    {SYS_copy_file_range, "copy", DESCRIPTOR},
    {SYS_read, "read", DESCRIPTOR},    {SYS_pread64, "read", DESCRIPTOR},
    {SYS_fsync, "fsync", DESCRIPTOR},  {SYS_fdatasync, "fsync", DESCRIPTOR},
    {SYS_rename, "rename", PATH_PATH}, {SYS_renameat, "rename", AT_AT},    {SYS_renameat2, "rename", AT_AT},
    {SYS_link, "link", PATH_PATH},     {SYS_linkat, "link", AT_AT},
    {SYS_unlink, "unlink", PATH},      {SYS_unlinkat, "unlink", AT},       {SYS_rmdir, "rmdir", PATH},
    {SYS_mkdir, "mkdir", PATH},        {SYS_mkdirat, "mkdir", AT},
    {SYS_fchmod, "chmod", DESCRIPTOR},
};

/* A counted call that a thread is in. */
struct call {
    pid_t thread;
    const struct kind *kind;
    int injected;
    char path[PATH_MAX], other[PATH_MAX];
    unsigned long extra;
};

#define THREADS 256
static struct call calls[THREADS];

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static struct call *slot(pid_t thread) {
    struct call *empty = NULL;
    for (int i = 0; i < THREADS; i++) {
        if (calls[i].thread == thread) return &calls[i];
        if (!calls[i].thread && !empty) empty = &calls[i];
    }
    if (!empty) fail("too many threads");
    return empty;
}

static void read_text(pid_t thread, unsigned long address, char *text) {
    text[0] = 0;
    for (size_t done = 0; done < PATH_MAX - 1;) {
        /* Reads end at a page, since the next one may be missing. */
        size_t part = 4096 - (address + done) % 4096;
        if (part > PATH_MAX - 1 - done) part = PATH_MAX - 1 - done;
        struct iovec local = {text + done, part}, remote = {(void *)(address + done), part};
        ssize_t got = process_vm_readv(thread, &local, 1, &remote, 1, 0);
        if (got <= 0) break;
        text[done + got] = 0;
        if (memchr(text + done, 0, got)) return;
        done += got;
    }
}

static void descriptor_path(pid_t thread, int descriptor, char *path) {
    char link[64];
    if (descriptor == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", thread);
    else snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void at_path(pid_t thread, int folder, unsigned long address, char *path) {
    char text[PATH_MAX], base[PATH_MAX];
    read_text(thread, address, text);
    if (text[0] == '/') {
        strcpy(path, text);
        return;
    }
    descriptor_path(thread, folder, base);
    if (snprintf(path, PATH_MAX, "%s/%s", base, text) >= PATH_MAX) path[0] = 0;
}

/* Fills in the call that `thread` begins. Returns whether it is below the folder. */
static int describe(pid_t thread, const struct user_regs_struct *r, const char *folder, struct call *call) {
    call->other[0] = 0;
    call->extra = 0;
    switch (call->kind->shape) {
    case DESCRIPTOR:
        descriptor_path(thread, (int)r->rdi, call->path);
        call->extra = r->rdx;
        break;
    case AT:
        at_path(thread, (int)r->rdi, r->rsi, call->path);
        call->extra = r->rdx;
        break;
    case PATH:
        at_path(thread, AT_FDCWD, r->rdi, call->path);
        call->extra = call->kind->number == SYS_creat ? O_CREAT | O_WRONLY | O_TRUNC : r->rsi;
        break;
    case AT_AT:
        at_path(thread, (int)r->rdi, r->rsi, call->path);
        at_path(thread, (int)r->rdx, r->r10, call->other);
        break;
    case PATH_PATH:
        at_path(thread, AT_FDCWD, r->rdi, call->path);
        at_path(thread, AT_FDCWD, r->rsi, call->other);
        break;
    }
    /* A file that was removed has this ending. */
    char *gone = strstr(call->path, " (deleted)");
    if (gone) *gone = 0;
    size_t length = strlen(folder);
    return strncmp(call->path, folder, length) == 0 && (call->path[length] == '/' || call->path[length] == 0);
}

static const struct kind *kind(long number) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (KINDS[i].number == number) return &KINDS[i];
    return NULL;
}

int main(int count, char **words) {
    if (count < 6) {
        fprintf(stderr, "usage: calls LOG FOLDER ACTION N PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    FILE *log = fopen(words[1], "w");
    if (!log) fail(words[1]);
    const char *folder = words[2], *action = words[3];
    long wanted = atol(words[4]), seen = 0;
    int error = atoi(action), lasting = action[0] && action[strlen(action) - 1] == '+';
    const char *failing = NULL;

    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(words[5], words + 5);
        fail(words[5]);
    }
    int status;
    if (waitpid(child, &status, 0) < 0) fail("waitpid");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) < 0) fail("ptrace");
    ptrace(PTRACE_SYSCALL, child, 0, 0);

    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            struct call *left = slot(thread);
            left->thread = 0;
            if (thread == child) {
                fclose(log);
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal != (SIGTRAP | 0x80)) {
            /* Stops of new threads and of exec are not signals of the program. */
            int own = signal == SIGTRAP || signal == SIGSTOP;
            ptrace(PTRACE_SYSCALL, thread, 0, own ? 0 : signal);
            continue;
        }
        struct user_regs_struct r;
        struct call *call = slot(thread);
        if (ptrace(PTRACE_GETREGS, thread, 0, &r) < 0) continue;
        if (call->thread) {
            if (call->injected > 0) {
                r.rax = (unsigned long)-(long)call->injected;
                ptrace(PTRACE_SETREGS, thread, 0, &r);
            }
            fprintf(log, "%s\t%ld\t%s\t%s\t%lu\n", call->kind->name, (long)r.rax, call->path, call->other, call->extra);
            fflush(log);
            call->thread = 0;
        } else if ((call->kind = kind((long)r.orig_rax)) && (long)r.rax == -ENOSYS && describe(thread, &r, folder, call)) {
            call->thread = thread;
            call->injected = 0;
            seen++;
            if (seen == wanted && strcmp(action, "kill") == 0) {
                fprintf(log, "injected\t0\t\t\t0\n");
                fflush(log);
                kill(child, SIGKILL);
            } else if (seen == wanted && strcmp(action, "short") == 0) {
                if (strcmp(call->kind->name, "write") == 0 && r.rdx > 1 && call->kind->number != SYS_writev) {
                    r.rdx /= 2;
                    fprintf(log, "injected\t0\t\t\t0\n");
                    ptrace(PTRACE_SETREGS, thread, 0, &r);
                }
            } else if (error && (seen == wanted || (lasting && failing && strcmp(failing, call->kind->name) == 0))) {
                failing = call->kind->name;
                call->injected = error;
                fprintf(log, "injected\t0\t\t\t0\n");
                r.orig_rax = (unsigned long)-1;
                ptrace(PTRACE_SETREGS, thread, 0, &r);
            }
        }
        ptrace(PTRACE_SYSCALL, thread, 0, 0);
    }
    fclose(log);
    return 125;
}
