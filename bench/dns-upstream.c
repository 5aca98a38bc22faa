/* A name server that answers every A query at once. "r17.wild.net" has an address of its own, made from its number; any other name
 * has one that all share. TTL 300, or 1 for names that begin with "z". Usage: dns-upstream ADDRESS PORT */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) }, from;
	inet_aton(argv[1], &at.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&at, sizeof at))
		return 1;
	for (unsigned char message[1500];;) {
		socklen_t length = sizeof from;
		ssize_t got = recvfrom(fd, message, sizeof message - 64, 0, (struct sockaddr *)&from, &length);
		if (got < 17)
			continue;
		ssize_t end = 12;
		while (end < got && message[end])
			end += message[end] + 1;
		if (end + 5 > got)
			continue;
		int type = message[end + 1] << 8 | message[end + 2];
		unsigned char first = message[13] | 32;
		unsigned number = first == 'r' ? strtoul((char *)message + 14, NULL, 10) : 0;
		unsigned address = htonl(0x2d400000 + (first == 'r' ? number % 100000 + 256 : 9)), ttl = htonl(first == 'z' ? 1 : 300);
		end += 5;
		message[2] = 0x81, message[3] = 0x80;
		memset(message + 6, 0, 6);
		if (type == 1) {
			message[7] = 1;
			memcpy(message + end, "\xc0\x0c\0\1\0\1", 6);
			memcpy(message + end + 6, &ttl, 4);
			memcpy(message + end + 10, "\0\4", 2);
			memcpy(message + end + 12, &address, 4);
			end += 16;
		}
		sendto(fd, message, end, 0, (struct sockaddr *)&from, length);
	}
}
