/**
 * Keeps the kernel's table as desired. The only writer: one transaction in flight, and what it holds is known from its own
 * transactions until somebody doubts it (`observe`).
 */
import type { Logger } from 'pino';
import { HostError, messageOf } from '../host/host-error.ts';
import type { Nft } from '../host/nft.ts';
import { gateElements, type PrincipalRuleset, principalName } from '../ruleset/compile.ts';
import { type ElementChanges, expiringElements } from '../ruleset/diff.ts';
import { type Counter, type Element, elementId, type ObservedElement } from '../ruleset/element.ts';
import { readElements } from '../ruleset/listing.ts';
import { type Holding, planSteps, type Step } from '../ruleset/plan.ts';
import { POLICY_SETS, skeletonText } from '../ruleset/skeleton.ts';
import { type Transaction, transactionText } from '../ruleset/transaction.ts';
