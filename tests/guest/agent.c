// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
/*
 * The harness's hand inside the guest: runs commands and moves files over one
 * virtio-serial port. Linked statically; devtools/guest.py is the other end.
 *
 * Host to guest: struct request, then `bytes` of payload.
 * Guest to host: frames of struct reply and payload; 'X' ends each request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4c4f4f4du
#define CHUNK (64 * 1024)
#define PATH_BYTES 4096
#define TEXT_LIMIT (1024 * 1024)

struct request {
	uint32_t magic;
	uint32_t op;         /* 'R' run, 'P' put, 'G' get, 'H' hello */
	uint32_t arg;        /* R: time limit in ms; P: file mode */
	uint32_t path_bytes; /* P: the payload starts with the path */
	uint64_t bytes;
};

struct reply {
	uint32_t type; /* 'O' output, 'E' error output, 'X' end */
	uint32_t bytes;
};

struct verdict {
	int32_t status; /* R: exit code or 128 + signal; P, G: errno */
	uint32_t timed_out;
};

static char buffer[CHUNK];

/* The port reads as ended while nobody is connected on the host's side. */
static void read_all(int fd, void *data, size_t bytes)
{
	char *at = data;

	while (bytes) {
		ssize_t n = read(fd, at, bytes);

		if (n > 0) {
			at += n;
			bytes -= n;
		} else if (n == 0 || errno == EAGAIN || errno == EINTR ||
			   errno == EPIPE) {
			usleep(2000);
		} else {
			perror("agent: read");
			exit(1);
		}
	}
}

static void write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n > 0) {
			at += n;
			bytes -= n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR &&
			   errno != EPIPE) {
			perror("agent: write");
			exit(1);
		} else {
			usleep(2000);
		}
	}
}

static void send_frame(int port, uint32_t type, const void *data, size_t bytes)
{
	struct reply head = { type, (uint32_t)bytes };

	write_all(port, &head, sizeof(head));
	write_all(port, data, bytes);
}

static void send_verdict(int port, int status, int timed_out)
{
	struct verdict v = { status, (uint32_t)timed_out };

	send_frame(port, 'X', &v, sizeof(v));
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Returns 0 once the other end is closed. */
static int forward(int port, uint32_t type, int fd)
{
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n > 0) {
		send_frame(port, type, buffer, n);
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void drain(int port, uint32_t type, int fd)
{
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		send_frame(port, type, buffer, n);
}

static pid_t start(const char *command, int out, int err)
{
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	setpgid(0, 0);
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/*
 * Ends with the command itself, not with its last descendant: a test may
 * leave a process behind on purpose.
 */
static void follow(int port, pid_t pid, int out, int err, int64_t limit_ms)
{
	int64_t end = now_ms() + limit_ms;
	struct pollfd p[3] = { { .fd = out, .events = POLLIN },
			       { .fd = err, .events = POLLIN },
			       { .events = POLLIN } };
	int status, timed_out = 0;

	p[2].fd = syscall(SYS_pidfd_open, pid, 0);
	while (!(p[2].revents & POLLIN)) {
		int64_t left = end - now_ms();

		if (left <= 0 && !timed_out) {
			timed_out = 1;
			kill(-pid, SIGKILL);
		}
		poll(p, 3, timed_out ? 100 : (int)left);
		if (p[0].revents && !forward(port, 'O', out))
			p[0].fd = -1;
		if (p[1].revents && !forward(port, 'E', err))
			p[1].fd = -1;
		/* A task stuck in the kernel outlives SIGKILL: report it. */
		if (timed_out && now_ms() > end + 5000)
			break;
	}
	drain(port, 'O', out);
	drain(port, 'E', err);
	close(p[2].fd);
	if (waitpid(pid, &status, WNOHANG) != pid)
		send_verdict(port, 128 + SIGKILL, timed_out);
	else if (WIFSIGNALED(status))
		send_verdict(port, 128 + WTERMSIG(status), timed_out);
	else
		send_verdict(port, WEXITSTATUS(status), timed_out);
}

static void op_run(int port, const struct request *r)
{
	char *command = malloc(r->bytes + 1);
	int out[2], err[2];
	pid_t pid;

	if (!command) {
		perror("agent: malloc");
		exit(1);
	}
	read_all(port, command, r->bytes);
	command[r->bytes] = 0;
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		perror("agent: pipe");
		exit(1);
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	pid = start(command, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	free(command);
	if (pid < 0)
		send_verdict(port, 126, 0);
	else
		follow(port, pid, out[0], err[0], r->arg);
	close(out[0]);
	close(err[0]);
}

static int write_file(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0)
			return errno;
		data += n;
		bytes -= n;
	}
	return 0;
}

static void op_put(int port, const struct request *r)
{
	char path[PATH_BYTES];
	uint64_t left = r->bytes - r->path_bytes;
	int fd, error = 0;

	read_all(port, path, r->path_bytes);
	path[r->path_bytes] = 0;
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		error = errno;
	while (left) {
		size_t n = left < CHUNK ? left : CHUNK;

		read_all(port, buffer, n);
		if (!error)
			error = write_file(fd, buffer, n);
		left -= n;
	}
	if (!error && fchmod(fd, r->arg))
		error = errno;
	if (fd >= 0 && close(fd) && !error)
		error = errno;
	send_verdict(port, error, 0);
}

static void op_get(int port, const struct request *r)
{
	char path[PATH_BYTES];
	ssize_t n = 0;
	int fd;

	read_all(port, path, r->bytes);
	path[r->bytes] = 0;
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		send_verdict(port, errno, 0);
		return;
	}
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		send_frame(port, 'O', buffer, n);
	send_verdict(port, n < 0 ? errno : 0, 0);
	close(fd);
}

static int sane(const struct request *r)
{
	if (r->magic != MAGIC)
		return 0;
	switch (r->op) {
	case 'R':
		return r->bytes <= TEXT_LIMIT;
	case 'P':
		return r->path_bytes < PATH_BYTES && r->path_bytes <= r->bytes;
	case 'G':
		return r->bytes < PATH_BYTES;
	case 'H':
		return r->bytes == 0;
	default:
		return 0;
	}
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/vport0p1";
	int port = open(path, O_RDWR | O_CLOEXEC);

	if (port < 0) {
		fprintf(stderr, "agent: %s: %s\n", path, strerror(errno));
		return 1;
	}
	for (;;) {
		struct request r;

		read_all(port, &r, sizeof(r));
		if (!sane(&r)) {
			fprintf(stderr, "agent: request not understood\n");
			return 1;
		}
		if (r.op == 'R')
			op_run(port, &r);
		else if (r.op == 'P')
			op_put(port, &r);
		else if (r.op == 'G')
			op_get(port, &r);
		else
			send_verdict(port, 0, 0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
