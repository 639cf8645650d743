/** How much a search found, in words. */

import * as vscode from 'vscode';
import type { CircuitGraph } from '../../shared/circuit.ts';
import { countFound } from '../../shared/foundCounts.ts';

/** What was found, counted as the panel counts it. */
export function wordFound(circuit: CircuitGraph): string {
  const { nodes, tested, active, free } = countFound(circuit);
  const number = (count: number): string => count.toLocaleString('en');
  if (active === undefined) return vscode.l10n.t('{0} nodes', number(nodes));
  if (!free) return vscode.l10n.t('{0} nodes of {1} active ones', number(tested ?? nodes), number(active));
  return vscode.l10n.t(
    '{0} nodes of {1} active ones and {2} in lower layers that are never ablated',
    number(tested ?? nodes),
    number(active),
    number(free),
  );
}
