/** The functions of a TransformerLens script, in Python. No text of an experiment stands in them. */

import type { TaskMetric } from '../task.ts';

/** A part that methods call. */
export type ScriptPart =
  | 'sweepByName'
  | 'sweepByHook'
  | 'patchByHook'
  | 'ablateByHook'
  | 'patchPaths'
  | 'directLogitAttribution'
  | 'logitLens'
  | 'edges';

const metricOf = (formula: string): string => `
def metric(logits, answers, wrong_answers, clean_logits):
    return ${formula}
`;

/** Each metric as a function of the logits [d_vocab] at the last position. */
export const metricScripts: Readonly<Record<TaskMetric, string>> = {
  logitDifference: metricOf('logits[answers].mean() - logits[wrong_answers].mean()'),
  answerSetLogOdds: metricOf('logits[answers].logsumexp(0) - logits[wrong_answers].logsumexp(0)'),
  probability: metricOf('logits.softmax(0)[answers].sum()'),
  probabilityDifference: metricOf(
    'logits.softmax(0)[answers].sum() - logits.softmax(0)[wrong_answers].sum()',
  ),
  crossEntropy: metricOf('-logits.log_softmax(0)[answers].logsumexp(0)'),
  kl: metricOf('(clean_logits.softmax(0) * (clean_logits.log_softmax(0) - logits.log_softmax(0))).sum()'),
  accuracy: metricOf('(logits[answers].logsumexp(0) > logits[wrong_answers].logsumexp(0)).float()'),
};

const sweepByName = `

def patch(act_patch, layer_axis, layers, direction):
    """One of TransformerLens's own sweeps: 0 as the corrupted prompts, 1 as the clean ones."""
    totals = []
    for pair in pairs:
        forward = direction == "denoising"
        base, source = (pair.corrupted, pair.clean_cache) if forward else (pair.clean, pair.corrupted_cache)
        totals.append(act_patch(model, base, source, pair.metric))
    values = (mean(totals) - CORRUPTED) / (CLEAN - CORRUPTED)
    return values if layers is None else values.index_select(layer_axis, torch.tensor(layers))
`;

const sweepByHook = `

def cells(value, hook, axes):
    """Every place of a hook's value along the axes, the last one fastest."""
    dims = {"pos": 1, "head": 1 if hook.endswith("pattern") else 2, "dest_pos": 2, "src_pos": 3}
    # A pattern has a row for each position that attends.
    places = [dims["dest_pos"] if axis == "pos" and hook.endswith("pattern") else dims[axis] for axis in axes]
    sizes = [value.shape[dim] for dim in places]
    for chosen in itertools.product(*(range(size) for size in sizes)):
        index = [slice(None)] * value.ndim
        for dim, at in zip(places, chosen):
            index[dim] = at
        yield tuple(index)


def sweep(pair, tokens, hooks, axes, layers, replacement):
    """The metric on \`tokens\` with one place after another replaced: [hook, layer, place]."""
    rows = []
    for hook, layer in itertools.product(hooks, range(N_LAYERS) if layers is None else layers):
        name = f"blocks.{layer}.{hook}"
        new = replacement(name, pair)
        for index in cells(new, hook, axes):

            def put(value, hook, index=index, new=new):
                value = value.clone()
                value[index] = new[index]
                return value

            rows.append(pair.metric(model.run_with_hooks(tokens, fwd_hooks=[(name, put)])))
    return torch.stack(rows)


def shaped(values, hooks, axes, layers):
    """Values in the order of \`sweep\` as a grid."""
    value = pairs[0].clean_cache[f"blocks.0.{hooks[0]}"]
    dims = {"pos": 1, "head": 1 if hooks[0].endswith("pattern") else 2, "dest_pos": 2, "src_pos": 3}
    sizes = [N_LAYERS if layers is None else len(layers), *(value.shape[dims[axis]] for axis in axes)]
    return values.reshape([len(hooks), *sizes] if len(hooks) > 1 else sizes)
`;

const patchByHook = `

def patch_sweep(hooks, axes, layers, direction):
    """0 as the corrupted prompts, 1 as the clean ones."""
    totals = []
    for pair in pairs:
        forward = direction == "denoising"
        base, source = (pair.corrupted, pair.clean_cache) if forward else (pair.clean, pair.corrupted_cache)
        totals.append(sweep(pair, base, hooks, axes, layers, lambda name, pair, source=source: source[name]))
    return shaped((mean(totals) - CORRUPTED) / (CLEAN - CORRUPTED), hooks, axes, layers)
`;

const ablateByHook = `

def ablate_sweep(hooks, axes, layers, value, reference):
    """Relative change of the clean prompts' metric: -1 when nothing of it is left."""
    caches = [(pair, pair.clean_cache if reference == "clean" else pair.corrupted_cache) for pair in pairs]

    def alike(one, other):
        same_length = one.clean.shape == other.clean.shape
        return same_length and (value == "meanByPosition" or one.template == other.template)

    def replacement(name, pair):
        own = pair.clean_cache[name]
        if value == "zero":
            return torch.zeros_like(own)
        if value == "mean":
            return torch.cat([cache[name][0] for _, cache in caches]).mean(0).expand_as(own)
        return mean([cache[name] for other, cache in caches if alike(other, pair)])

    totals = [sweep(pair, pair.clean, hooks, axes, layers, replacement) for pair in pairs]
    return shaped((mean(totals) - CLEAN) / CLEAN, hooks, axes, layers)
`;

const patchPaths = `

def patch_paths(senders, receivers, positions, freeze_mlps):
    """Wang et al. 2022, appendix B: relative change of the metric through the receivers, by sender."""
    effects = []
    for sender in senders:
        patched = mean([path(pair, sender, receivers, positions, freeze_mlps) for pair in pairs])
        effects.append((patched - CLEAN) / CLEAN)
    return torch.stack(effects)


def path(pair, sender, receivers, positions, freeze_mlps):
    at = slice(None) if positions is None else positions
    layer, head = sender
    sent = f"blocks.{layer}.hook_mlp_out" if head is None else f"blocks.{layer}.attn.hook_z"
    final = f"blocks.{N_LAYERS - 1}.hook_resid_post"
    targets = [(f"blocks.{l}.attn.hook_{part}", (slice(None), at, h)) for l, h, part in receivers]
    targets = targets or [(final, (slice(None), at))]
    frozen = [f"blocks.{l}.attn.hook_{part}" for l in range(N_LAYERS) for part in "qkv"]
    if freeze_mlps:
        frozen += [f"blocks.{l}.hook_mlp_out" for l in range(N_LAYERS) if f"blocks.{l}.hook_mlp_out" != sent]

    def send(value, hook):
        value = value.clone()
        index = (slice(None), at) if head is None else (slice(None), at, head)
        value[index] = pair.corrupted_cache[sent][index]
        return value

    def keep(name):
        return name, lambda value, hook: pair.clean_cache[name].clone()

    received = {}

    def receive(name):
        return name, lambda value, hook: received.__setitem__(name, value.clone())

    def put(name):
        def into(value, hook):
            value = value.clone()
            for index in (index for target, index in targets if target == name):
                value[index] = received[name][index]
            return value

        return name, into

    names = list(dict.fromkeys(name for name, _ in targets))
    # What a receiver gets is looked at before it is put back to its clean value.
    hooks = [*map(receive, names), *map(keep, frozen), (sent, send)]
    model.run_with_hooks(pair.clean, fwd_hooks=hooks)
    return pair.metric(model.run_with_hooks(pair.clean, fwd_hooks=[*map(put, names)]))
`;

const directLogitAttribution = `

def direct_logit_attribution():
    """What heads and MLPs add to the logit difference, through the final norm with its scale held: mean over the pairs."""
    totals = {}
    for pair in pairs:
        direction = model.W_U[:, pair.answers].mean(1) - model.W_U[:, pair.wrong_answers].mean(1)
        direction = direction * model.ln_final.weight
        if not getattr(model.cfg, "uses_rms_norm", False):
            direction = direction - direction.mean()
        direction = direction / pair.clean_cache["ln_final.hook_scale"][0, -1]
        for layer in range(N_LAYERS):
            z = pair.clean_cache[f"blocks.{layer}.attn.hook_z"][0, -1]
            for head, written in enumerate(torch.einsum("hd,hdm->hm", z, model.W_O[layer])):
                totals.setdefault(f"head {layer}.{head}", []).append(written @ direction)
            totals.setdefault(f"MLP {layer}", []).append(pair.clean_cache[f"blocks.{layer}.hook_mlp_out"][0, -1] @ direction)
    return [{"component": name, "value": float(mean(values))} for name, values in totals.items()]
`;

const logitLens = `

def logit_lens(top):
    """The most probable next tokens that the stream before each layer, and behind the last one, would give."""
    (pair,) = pairs
    streams = [("embed", "blocks.0.hook_resid_pre"), *((str(l), f"blocks.{l}.hook_resid_post") for l in range(N_LAYERS))]
    rows = []
    for layer, name in streams:
        best = model.unembed(model.ln_final(pair.clean_cache[name]))[0].softmax(-1).topk(top)
        rows.append({"layer": layer, "predictions": [
            [{"text": model.tokenizer.decode([i]), "probability": p} for i, p in zip(ids, probabilities)]
            for ids, probabilities in zip(best.indices.tolist(), best.values.tolist())
        ]})
    return rows
`;

const edges = `

def written(cache):
    """What every source writes into the stream: [position, d_model] by name, in the order of the model."""
    sources = {"input": cache["blocks.0.hook_resid_pre"][0]}
    for layer in range(N_LAYERS):
        for head, value in enumerate(cache[f"blocks.{layer}.attn.hook_result"][0].unbind(1)):
            sources[f"a{layer}.h{head}"] = value
        sources[f"m{layer}"] = cache[f"blocks.{layer}.hook_mlp_out"][0]
    return sources


def gradients(pair, share):
    """Gradient of the metric at every input: [position, d_model] by name. The embeddings are a share of the way to the clean ones."""
    start, end = pair.corrupted_cache["blocks.0.hook_resid_pre"], pair.clean_cache["blocks.0.hook_resid_pre"]
    found = {}

    def mix(value, hook):
        return (start + share * (end - start)).requires_grad_()

    # A copy, since the stream itself goes past the component as well.
    def watch(name, value, hook):
        value = value.clone()
        value.register_hook(lambda gradient: found.__setitem__(name, gradient[0].detach()))
        return value

    def heads(layer, part, value, hook):
        def split(gradient):
            for head, own in enumerate(gradient[0].unbind(1)):
                found[f"a{layer}.h{head}<{part}>"] = own.detach()

        value = value.clone()
        value.register_hook(split)
        return value

    hooks = [("blocks.0.hook_resid_pre", mix)]
    for layer in range(N_LAYERS):
        hooks.append((f"blocks.{layer}.hook_mlp_in", partial(watch, f"m{layer}")))
        for part in "qkv":
            hooks.append((f"blocks.{layer}.hook_{part}_input", partial(heads, layer, part)))
    hooks.append((f"blocks.{N_LAYERS - 1}.hook_resid_post", partial(watch, "logits")))
    with torch.enable_grad():
        pair.metric(model.run_with_hooks(pair.clean, fwd_hooks=hooks)).backward()
    return found


def reaches(source, target):
    """Whether what a source writes gets to a target directly."""
    if source == "input" or target == "logits":
        return True
    layer_of = lambda name: int(name[1:].split(".")[0].split("<")[0])
    before, after = layer_of(source), layer_of(target)
    return before < after or (before == after and source[0] == "a" and target[0] == "m")


def attribute_edges(steps, top=None, threshold=None):
    """EAP (no steps) or EAP-IG: the change of the metric when an edge alone carries its corrupted value, to first order."""
    scores = {}
    for pair in pairs:
        clean, corrupted = written(pair.clean_cache), written(pair.corrupted_cache)
        shares = [step / steps for step in range(1, steps + 1)] or [1.0]
        slopes = [gradients(pair, share) for share in shares]
        for target in slopes[0]:
            slope = mean([one[target] for one in slopes])
            for source in clean:
                if reaches(source, target):
                    score = ((corrupted[source] - clean[source]) * slope).sum() / len(pairs)
                    scores[f"{source}->{target}"] = scores.get(f"{source}->{target}", 0.0) + float(score)
    kept = sorted(scores.items(), key=lambda edge: -abs(edge[1]))
    kept = kept[:top] if threshold is None else [edge for edge in kept if abs(edge[1]) >= threshold]
    return [{"name": name, "score": score} for name, score in kept]
`;

/** The parts, in the order in which a script has them. */
export const partScripts: Readonly<Record<ScriptPart, string>> = {
  sweepByName,
  sweepByHook,
  patchByHook,
  ablateByHook,
  patchPaths,
  directLogitAttribution,
  logitLens,
  edges,
};
