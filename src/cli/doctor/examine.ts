/** All checks over one survey. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { checkConntrack } from './conntrack.ts';
import { checkDaemon } from './daemon.ts';
import { checkEncryptedDns } from './encrypted-dns.ts';
import { checkEscapes } from './escapes.ts';
import { checkFiles } from './files.ts';
import { SEVERITIES } from './finding.ts';
import { checkKernel } from './kernel.ts';
import { checkKernelSockets } from './kernel-sockets.ts';
import { checkNameServices } from './name-services.ts';
import { checkNamespaces } from './namespaces.ts';
import { checkPrograms } from './programs.ts';
import { subjectsOf } from './subjects.ts';
import type { Survey } from './survey.ts';
import { checkTables } from './tables.ts';

/** Worst first; otherwise in the order of the parts. */
export function examine(survey: Survey): readonly DoctorCheck[] {
  const subjects = subjectsOf(survey);
  const checks = [
    ...checkDaemon(survey),
    ...checkFiles(survey),
    ...checkConntrack(survey),
    ...checkTables(survey),
    ...checkNameServices(survey),
    ...checkEncryptedDns(survey),
    ...checkPrograms(survey, subjects),
    ...checkEscapes(survey, subjects),
    ...checkNamespaces(survey, subjects),
    ...checkKernelSockets(survey),
    ...checkKernel(survey),
  ];
  return checks.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}
