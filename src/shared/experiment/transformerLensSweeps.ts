/** The functions of a TransformerLens script that change one place after another, in Python: sweeps and paths. */

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

DIMS = {"pos": 1, "head": 2, "dest_pos": 2, "src_pos": 3}


def dim_of(hook, axis):
    """Where an axis of a sweep is in a hook's value. A pattern has a row for each position that attends."""
    if hook.endswith("pattern"):
        axis = {"head": "pos", "pos": "dest_pos"}.get(axis, axis)
    return DIMS[axis]


def cells(value, hook, axes, pair, roles):
    """Every place of a hook's value along the axes, the last one fastest. Roles are positions of their own in each pair."""
    dims = [dim_of(hook, axis) for axis in axes]
    at = None if roles is None else [pair.roles[role] for role in roles]
    choices = [at if at and axis in ("pos", "dest_pos") else range(value.shape[dim]) for axis, dim in zip(axes, dims)]
    for chosen in itertools.product(*choices):
        index = [slice(None)] * value.ndim
        for dim, place in zip(dims, chosen):
            index[dim] = place
        yield tuple(index)


def sweep(pair, tokens, hooks, axes, layers, roles, replacement):
    """The metric on \`tokens\` with one place after another replaced: [hook, layer, place]."""
    rows = []
    for hook, layer in itertools.product(hooks, range(N_LAYERS) if layers is None else layers):
        name = f"blocks.{layer}.{hook}"
        new = replacement(lambda cache: cache[name], pair)
        for index in cells(new, hook, axes, pair, roles):

            def put(value, hook, index=index, new=new):
                value = value.clone()
                value[index] = new[index]
                return value

            rows.append(pair.metric(model.run_with_hooks(tokens, fwd_hooks=[(name, put)])))
    return torch.stack(rows)


def shaped(values, hooks, axes, layers, roles):
    """Values in the order of \`sweep\` as a grid."""
    shape = pairs[0].clean_cache[f"blocks.0.{hooks[0]}"].shape
    sizes = [len(roles) if roles and axis in ("pos", "dest_pos") else shape[dim_of(hooks[0], axis)] for axis in axes]
    sizes = [N_LAYERS if layers is None else len(layers), *sizes]
    return values.reshape([len(hooks), *sizes] if len(hooks) > 1 else sizes)
`;

const patchBase = `

def patched(direction, sweep_one):
    """Mean over the pairs of a sweep that takes values from one prompt into the other: 0 as the corrupted, 1 as the clean ones."""
    totals = []
    for pair in pairs:
        forward = direction == "denoising"
        base, source = (pair.corrupted, pair.clean_cache) if forward else (pair.clean, pair.corrupted_cache)
        totals.append(sweep_one(pair, base, lambda look, pair: look(source)))
    return (mean(totals) - CORRUPTED) / (CLEAN - CORRUPTED)
`;

const patchByHook = `

def patch_sweep(hooks, axes, layers, roles, direction):
    values = patched(direction, lambda pair, base, new: sweep(pair, base, hooks, axes, layers, roles, new))
    return shaped(values, hooks, axes, layers, roles)
`;

const ablateBase = `

def ablated(value, reference, sweep_one):
    """Relative change of the clean prompts' metric: -1 when nothing of it is left."""

    def cache_of(pair):
        return pair.clean_cache if reference == "clean" else pair.corrupted_cache

    def alike(one, other):
        same_length = one.clean.shape == other.clean.shape
        return same_length and (value == "meanByPosition" or one.template == other.template)

    # \`look\` reads the value off a run: [1, position, ...].
    def replacement(look, pair):
        own = look(pair.clean_cache)
        if value == "zero":
            return torch.zeros_like(own)
        if value == "resample":
            return look(cache_of(pairs[pair.partner]))
        if value == "mean":
            return torch.cat([look(cache_of(other))[0] for other in pairs]).mean(0).expand_as(own)
        return mean([look(cache_of(other)) for other in pairs if alike(other, pair)])

    totals = [sweep_one(pair, pair.clean, replacement) for pair in pairs]
    return (mean(totals) - CLEAN) / CLEAN
`;

const ablateByHook = `

def ablate_sweep(hooks, axes, layers, roles, value, reference):
    values = ablated(value, reference, lambda pair, base, new: sweep(pair, base, hooks, axes, layers, roles, new))
    return shaped(values, hooks, axes, layers, roles)
`;

const features = `

class Dictionary:
    """An SAE as SAELens writes it."""

    def __init__(self, folder):
        with open(f"{folder}/cfg.json", encoding="utf-8") as file:
            self.config = json.load(file)
        plain = self.config.get("normalize_activations", "none") == "none"
        assert plain and not self.config.get("rescale_acts_by_decoder_norm"), f"{folder} rescales its input"
        self.weights = load_file(f"{folder}/sae_weights.safetensors")

    def encode(self, value):
        weights = self.weights
        if self.config.get("apply_b_dec_to_input", True):
            value = value - weights["b_dec"]
        before = value @ weights["W_enc"] + weights["b_enc"]
        if self.config["architecture"] == "topk":
            best = before.topk(self.config["k"])
            before = torch.zeros_like(before).scatter(-1, best.indices, best.values)
        if self.config["architecture"] == "jumprelu":
            before = before * (before > weights["threshold"])
        return before.relu()

    def decode(self, activations):
        return activations @ self.weights["W_dec"] + self.weights["b_dec"]

    def read(self, value, part):
        """The activation of a feature [1, position], or what the SAE leaves out [1, position, d_in]."""
        activations = self.encode(value)
        return value - self.decode(activations) if part == "error" else activations[..., part]

    def change(self, value, part, new):
        """What takes a part of the value to \`new\`."""
        difference = new - self.read(value, part)
        return difference if part == "error" else difference[..., None] * self.weights["W_dec"][part]


def feature_sweep(pair, tokens, hook, folder, parts, by, replacement):
    """The metric on \`tokens\` with one feature after another changed, at all positions or at one by one: [position, part]."""
    sae = Dictionary(folder)
    places = range(tokens.shape[1]) if by == "position" else [slice(None)]
    rows = []
    for place, part in itertools.product(places, parts):
        new = replacement(lambda cache: sae.read(cache[hook], part), pair)

        def put(value, hook, place=place, part=part, new=new):
            change = sae.change(value, part, new)
            value = value.clone()
            value[:, place] += change[:, place]
            return value

        rows.append(pair.metric(model.run_with_hooks(tokens, fwd_hooks=[(hook, put)])))
    rows = torch.stack(rows)
    return rows.reshape(-1, len(parts)) if by == "position" else rows
`;

const patchFeatures = `

def patch_features(hook, folder, parts, by, direction):
    return patched(direction, lambda pair, base, new: feature_sweep(pair, base, hook, folder, parts, by, new))
`;

const ablateFeatures = `

def ablate_features(hook, folder, parts, by, value, reference):
    return ablated(value, reference, lambda pair, base, new: feature_sweep(pair, base, hook, folder, parts, by, new))
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
    at = slice(None)
    if positions is not None:
        at = [pair.roles[place] if isinstance(place, str) else place for place in positions]
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

/** By name, in the order in which a script has them. */
export const sweepScripts = {
  sweepByName,
  sweepByHook,
  patchBase,
  patchByHook,
  ablateBase,
  ablateByHook,
  features,
  patchFeatures,
  ablateFeatures,
  patchPaths,
} as const;
