/** How estimates of nodes' effects agree with patching every node by itself. */
import type { EffectComparison, NodeEffectMethod } from '../../../shared/sparseCircuitApi.ts';
import { correlation, rankCorrelation } from '../rankCorrelation.ts';
import type { EffectTable } from './effectTable.ts';

/** Over all active nodes, and site by site. Both tables are of the same pairs and sites. */
export function compareEffects(
  method: NodeEffectMethod,
  estimated: EffectTable,
  exact: EffectTable,
): EffectComparison {
  const nodes = exact.nodes();
  const [found, expected] = [estimated, exact].map((table) => nodes.map((node) => table.effect(node)));
  const sites = exact.sites.flatMap(({ hook }, index) => {
    const own = nodes.flatMap((node, i) => (node.site === index ? [i] : []));
    if (own.length < 2) return [];
    const [a, b] = [found, expected].map((effects) => own.map((i) => effects![i]!));
    return [{ hook, nodes: own.length, correlation: correlation(a!, b!) }];
  });
  return {
    method,
    nodes: nodes.length,
    correlation: correlation(found!, expected!),
    rankCorrelation: rankCorrelation(found!, expected!),
    sites,
  };
}
