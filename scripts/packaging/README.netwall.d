Policies of netwalld, one file or more for each service: *.yaml, owned by root, writable by nobody else.

    service: webapp
    match:
      user: webapp
    mode: audit                    # record and let through; remove the line to enforce
    egress:
      allow:
        - to: [api.example.com]
          ports: [443]

Check a file before it counts with "netwallctl check FILE"; netwalld reads it as soon as it is here. Examples are in
/usr/share/doc/netwall/examples, the manual is netwall.d(5).
