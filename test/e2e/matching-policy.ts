/** A policy whose point is whom it governs; what it allows is one network. */
export const matchingPolicy = (service: string, match: string): string => `
service: ${service}
match:
  ${match}
dns: none
egress:
  allow:
    - to: 45.64.0.0/16
      ports: [443]
`;
