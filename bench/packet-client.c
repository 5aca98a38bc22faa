/* Puts load on a far side for some seconds, pinned to a CPU. Prints how many rounds (bulk: bytes) there were, the seconds they took,
 * the seconds of CPU among them, and the median and the 99th percentile of a round in microseconds.
 *   udp      datagrams over one socket, after one that was answered: so the flow is an established one; a round is timed for 64
 *   ping     datagram and echo over one socket
 *   flow     the same over a new socket each time
 *   connect  TCP: connect, request, answer, close
 *   bulk     one TCP stream; what is sent while it finds its pace, the first third of the time, does not count
 * What gets no answer for a second counts for nothing but the second; a refusal, or no answer at all, ends it with 1.
 * Usage: packet-client MODE ADDRESS PORT SECONDS CPU */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 20, SIZE = 32, BATCH = 64 };

static struct sockaddr_in at = { .sin_family = AF_INET };
static char block[1 << 17];

static double clocked(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double now(void)
{
	return clocked(CLOCK_MONOTONIC);
}

static int ascending(const void *a, const void *b)
{
	float d = *(const float *)a - *(const float *)b;
	return d < 0 ? -1 : d > 0;
}

static int reached(int type)
{
	struct timeval patience = { 1, 0 };
	int fd = socket(AF_INET, type, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

static int echoed(int fd)
{
	return send(fd, block, SIZE, 0) == SIZE && recv(fd, block, SIZE, MSG_WAITALL) == SIZE;
}

static int flow(int type)
{
	int fd = reached(type);
	if (fd < 0)
		return 0;
	int good = echoed(fd);
	/* the far side closes first: then the port is free again at once */
	if (type == SOCK_STREAM)
		good = good && recv(fd, block, 1, 0) == 0;
	close(fd);
	return good;
}

static int established(int fd)
{
	return send(fd, block, 1, 0) == 1 && recv(fd, block, 1, 0) == 1;
}

static int batch(int fd)
{
	for (int i = 0; i < BATCH; i++)
		if (send(fd, block, SIZE, 0) != SIZE)
			return 0;
	return BATCH;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	char mode = argv[1][0];
	inet_aton(argv[2], &at.sin_addr);
	at.sin_port = htons(atoi(argv[3]));
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[5]), &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
	float *samples = malloc(MOST * sizeof *samples);
	size_t count = 0;
	int paced = 0;
	int fd = mode == 'u' || mode == 'p' ? reached(SOCK_DGRAM) : mode == 'b' ? reached(SOCK_STREAM) : -1;
	if (mode == 'u' && !established(fd)) {
		perror(argv[1]);
		return 1;
	}
	double began = now(), last = began, total = 0, used = clocked(CLOCK_PROCESS_CPUTIME_ID);
	while (last - began < atof(argv[4])) {
		long done = mode == 'u' ? batch(fd) : mode == 'p' ? echoed(fd) : mode == 'f' ? flow(SOCK_DGRAM) : mode == 'c' ? flow(SOCK_STREAM) : send(fd, block, sizeof block, 0);
		double then = last;
		last = now();
		if (done <= 0 && (errno == EAGAIN || errno == EINPROGRESS))
			continue;
		if (done <= 0) {
			perror(argv[1]);
			return 1;
		}
		samples[count++ % MOST] = (last - then) * 1e6;
		total += done;
		if (mode == 'b' && !paced && last - began > atof(argv[4]) / 3) {
			paced = 1, began = last, total = count = 0;
			used = clocked(CLOCK_PROCESS_CPUTIME_ID);
		}
	}
	double spent = clocked(CLOCK_PROCESS_CPUTIME_ID) - used;
	if (count == 0)
		return 1;
	if (count > MOST)
		count = MOST;
	qsort(samples, count, sizeof *samples, ascending);
	printf("%.0f %.6f %.6f %.3f %.3f\n", total, last - began, spent, samples[count / 2], samples[count * 99 / 100]);
	return 0;
}
