"""timm's networks give what a plain loop of timm gives, with the weights' own normalisation and size."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import timm_networks
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.pooling.norms import pool

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
H_OPTIMUS = {"mean": [0.707223, 0.578729, 0.703617], "std": [0.211883, 0.230117, 0.177517]}

SMALL = {"img_size": 56, "depth": 2}
# the arguments of UNI2's card, but for its size
UNI2 = {
    **{"img_size": 56, "patch_size": 14, "depth": 2, "num_heads": 3, "init_values": 1e-5, "embed_dim": 96},
    **{"mlp_ratio": 5.33334, "no_embed_class": True, "mlp_layer": "SwiGLUPacked", "act_layer": "silu"},
    **{"reg_tokens": 8, "dynamic_img_size": True},
}
CASES = {
    "ViT-S/14": ("vit_small_patch14_dinov2", SMALL),
    "registers": ("vit_small_patch14_reg4_dinov2", SMALL),
    "UNI2": ("vit_giant_patch14_224", UNI2),
}


def as_timm_takes(args):
    return {key: getattr(timm.layers, value) if key == "mlp_layer" else value for key, value in args.items()}


def built(name, args, seed=3, **options):
    """A network as its card makes it, with weights that no layer leaves at zero."""
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=0, **as_timm_takes(args), **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model


def patches(count, size, seed=0):
    return torch.randint(
        0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def normalised(x, mean, std):
    return (x / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def spec(name, path, **changes):
    own = {"model": f"timm/{name}", "layer": "class", "weights": str(path), "input_size": "own", **IMAGENET}
    return own | changes


@pytest.fixture(params=CASES, scope="module")
def network(request, tmp_path_factory):
    """One of three kinds of transformers: its name, arguments, timm's own model, and a file of its weights."""
    name, args = CASES[request.param]
    model, path = built(name, args), tmp_path_factory.mktemp("weights") / "pytorch_model.bin"
    torch.save(model.state_dict(), path)
    return name, args, model, path


def test_class_token_and_mean_of_places_are_those_that_the_cards_take(network):
    name, args, model, path = network
    x = patches(3, 56)
    with torch.inference_mode():
        tokens = model.forward_features(normalised(x, **H_OPTIMUS))
        first = model(normalised(x, **H_OPTIMUS))
    registers = args.get("reg_tokens", 4 if "reg4" in name else 0)
    assert tokens.shape[1] == 1 + registers + 16
    expected = {"class": tokens[:, 0], "mean": tokens[:, 1 + registers :].mean(1)}
    expected["class+mean"] = torch.cat([expected["class"], expected["mean"]], -1)  # as Virchow2's card
    expected["pooled"] = first
    torch.testing.assert_close(expected["pooled"], expected["class"])
    outputs = {"a" + layer.replace("+", "-"): {"layer": layer} for layer in expected}
    several = load_encoder({**spec(name, path, model_args=args, outputs=outputs, **H_OPTIMUS), "layer": None})
    features = several(x)
    for (output, one), layer in zip(outputs.items(), expected, strict=True):
        encoder = load_encoder(spec(name, path, model_args=args, layer=layer, **H_OPTIMUS))
        assert one == {"layer": layer}
        assert (encoder.input_size, encoder.dimension) == (56, expected[layer].shape[1])
        torch.testing.assert_close(encoder(x), expected[layer], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(features[output], encoder(x), rtol=1e-5, atol=1e-5)
    assert (features["aclass"] < 0).any()


def test_a_block_is_what_the_block_returns_and_what_is_behind_it_neither_runs_nor_counts(network, tmp_path):
    name, args, model, path = network
    x, kept = patches(2, 56), []
    hook = model.blocks[0].register_forward_hook(lambda module, given, output: kept.append(output))
    with torch.inference_mode():
        model(normalised(x, **IMAGENET))
    hook.remove()
    encoder = load_encoder(spec(name, path, model_args=args, layer="blocks.0"))
    torch.testing.assert_close(encoder(x), kept[0].mean(1), rtol=1e-4, atol=1e-4)
    fewer = {key: value for key, value in model.state_dict().items() if not key.startswith(("blocks.1", "norm"))}
    torch.save(fewer, tmp_path / "fewer.pt")
    again = load_encoder(spec(name, tmp_path / "fewer.pt", model_args=args, layer="blocks.0"))
    assert torch.equal(again(x), encoder(x))
    assert again.sha256 == encoder.sha256
    with pytest.raises(SlidecafError, match=r"does not fit VisionTransformer: missing blocks\.1"):
        load_encoder(spec(name, tmp_path / "fewer.pt", model_args=args))


def test_every_tensor_counts_that_changes_the_vector():
    """By a change of each in turn: UNI2's shape, whose tensors are used in ways of many kinds."""
    name, args = CASES["UNI2"]
    encoder = load_encoder(spec(name, "random:0", model_args=args, layer="class"))
    x, state = patches(1, 56), encoder.model.state_dict()
    before, counted = encoder(x), encoder._tensors
    for key, value in state.items():
        kept = value.clone()
        value.add_(torch.randn_like(value))
        changed = not torch.equal(encoder(x), before)
        value.copy_(kept)
        assert changed <= (key in counted), key
    assert counted == state.keys()


@pytest.mark.parametrize(
    ("name", "layer", "dimension"),
    [
        ("resnet18", "pooled", 512),
        ("resnet18", "layer2", 128),
        ("convnext_atto", "pooled", 320),
        ("convnext_atto", "stages.1", 80),
        ("swin_tiny_patch4_window7_224", "layers.1", 192),
        ("mobilenetv3_small_050", "pooled", 1024),
    ],
)
def test_networks_of_other_kinds(name, layer, dimension, tmp_path):
    model = built(name, {})
    torch.save(model.state_dict(), tmp_path / "own.pt")
    size = 224 if name.startswith("swin") else 64
    encoder = load_encoder(spec(name, tmp_path / "own.pt", layer=layer, input_size=size))
    x, kept = patches(2, size), []
    if layer != "pooled":
        model.get_submodule(layer).register_forward_hook(lambda module, given, output: kept.append(output))
    with torch.inference_mode():
        expected = model(normalised(x, **IMAGENET))
    if kept:
        expected = kept[0].mean((1, 2) if name.startswith("swin") else (2, 3))
    assert encoder.dimension == dimension
    torch.testing.assert_close(encoder(x), expected, rtol=1e-3, atol=1e-3)


def test_vit_h_of_virchow2_has_2560_values_and_uni2_1536():
    """Their shapes alone, as their cards have them: on the meta device, which has no values."""
    virchow2 = {"img_size": 224, "init_values": 1e-5, "reg_tokens": 4, "mlp_ratio": 5.3375, "dynamic_img_size": True}
    virchow2 |= {"mlp_layer": "SwiGLUPacked", "act_layer": "silu", "global_pool": ""}
    uni2 = {**UNI2, "img_size": 224, "depth": 24, "num_heads": 24, "embed_dim": 1536}
    for name, args, wanted, million in (
        ("vit_huge_patch14_224", virchow2, {"class+mean": 2560, "class": 1280}, 631),
        ("vit_giant_patch14_224", uni2, {"pooled": 1536, "class": 1536}, 681),
        ("vit_giant_patch14_reg4_dinov2", {"img_size": 224, "init_values": 1e-5}, {"class": 1536}, 1135),
    ):
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0, **as_timm_takes(args)).eval()
        assert round(sum(one.numel() for one in model.parameters()) / 1e6) == million
        run = timm_networks.run_of(model, list(wanted), 224)
        assert run.tensors == model.state_dict().keys()
        with torch.inference_mode():
            found = run.network(model)(torch.zeros(2, 3, 224, 224, device="meta"))
        assert [one.shape for one in found] == [(2, dimension) for dimension in wanted.values()]
    model = timm.create_model("vit_huge_patch14_224", num_classes=0, **as_timm_takes({**virchow2, "depth": 1})).eval()
    with pytest.raises(SlidecafError, match=r"pools nothing.*write class, mean or class\+mean"):
        timm_networks.run_of(model, ["pooled"], 224)


def test_random_weights_follow_the_seed_and_draw_none_of_the_callers_numbers():
    own = {"model_args": SMALL, "mean": None, "std": None}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = load_encoder(spec("vit_small_patch14_dinov2", "random:7", **own))
    assert torch.equal(torch.rand(3), expected)
    same, other = (load_encoder(spec("vit_small_patch14_dinov2", f"random:{seed}", **own)) for seed in (7, 8))
    assert torch.equal(first(patches(2, 56)), same(patches(2, 56)))
    assert first.sha256 == same.sha256 != other.sha256
    assert len({tuple(row.tolist()) for row in first(patches(3, 56))}) == 3  # it tells patches apart
    assert (first.mean, first.std) == (tuple(IMAGENET["mean"]), tuple(IMAGENET["std"]))  # what timm knows of DINOv2


def test_the_size_is_the_weights_own_where_none_is_written():
    assert load_encoder(spec("resnet18", "random:0", layer="pooled")).input_size == 224
    assert load_encoder(spec("convnext_atto", "random:0", layer="pooled")).input_size == 224
    assert timm.get_pretrained_cfg("vit_small_patch14_dinov2").input_size == (3, 518, 518)
    assert load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args={"depth": 1})).input_size == 518


def test_threads_do_not_mix_up_their_patches():
    encoder = load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args=SMALL, layer="blocks.1"))
    given = [patches(2, 56, seed) for seed in range(16)]
    expected = [encoder(x) for x in given]
    with ThreadPoolExecutor(4) as pool_of_threads:
        for one, other in zip(pool_of_threads.map(encoder, given), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_16_bit_on_a_cpu_is_close_to_32_bit_and_of_the_same_weights():
    one = load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args=SMALL))
    two = load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args=SMALL), precision="bf16")
    x = patches(2, 56)
    assert one.sha256 == two.sha256
    assert torch.nn.functional.cosine_similarity(one(x), two(x)).min() > 0.999


def test_features_below_zero_have_no_3_norm_and_the_error_names_the_norms_that_they_have():
    features = load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args=SMALL))(patches(3, 56)).numpy()
    for norm in (2, 3):
        with pytest.raises(SlidecafError, match=rf"slide a.*is negative.*norm {norm} needs.*take norm 1 or inf"):
            pool(features, norms=[norm], source="slide a")
    pooled = pool(features, norms=[1, "inf"])
    assert (pooled[1] < pooled[float("inf")]).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": "timm/vit_smal_patch14_dinov2"},
            r"model: timm has no 'vit_smal.*write timm/.*vit_small_patch14",
        ),
        (
            {"layer": "block.1"},
            r"layer: VisionTransformer has no 'block\.1'; write pooled, .*near name: blocks\.1",
        ),
        ({"weights": "lvd142"}, r"timm has no 'lvd142' for vit_small_patch14_dinov2; write one of lvd142m"),
        ({"input_size": 60}, r"input_size: VisionTransformer does not take images of 60 px.*img_size: 60"),
        ({"model_args": {"num_heads": 7}}, r"model_args: timm's vit_small_patch14_dinov2 cannot be built like this"),
        ({"model": "timm/resnet18", "model_args": {}, "input_size": 64}, r"ResNet has no tokens.*write pooled"),
        ({"model": "timm/resnet18", "layer": "pooled"}, r"model_args: timm's resnet18 cannot.*img_size"),
        ({"model": "timm/vit_base_patch16_siglip_224", "model_args": {"depth": 1}}, r"no class token.*write pooled"),
        ({"model_args": {**SMALL, "global_pool": "avg"}, "layer": "mean"}, r"normalises behind its pooling"),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_what_to_write(changes, said):
    with pytest.raises(SlidecafError, match=said):
        load_encoder(spec("vit_small_patch14_dinov2", "random:0", model_args=SMALL) | changes)


def test_a_file_of_other_arguments_does_not_fit(network):
    name, args, _, path = network
    with pytest.raises(SlidecafError, match=r"weights: .*pytorch_model.bin does not fit VisionTransformer"):
        load_encoder(spec(name, path, model_args={**args, "reg_tokens": 2}))


# Hugging Face's hub, of which a part lies on this machine as its client keeps it.


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Publish weights: into the client's own folder, with no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def publish(repository, config, state):
        place = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        folder = place / "snapshots" / ("0" * 40)
        folder.mkdir(parents=True)
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0" * 40)
        (folder / "config.json").write_text(json.dumps(config))
        if state:
            save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")

    return publish


def config_of(architecture, **changes):
    """A repository's config.json as timm writes it."""
    known = {"input_size": [3, 56, 56], "num_classes": 0, "pool_size": None, "first_conv": "patch_embed.proj"}
    known |= {"fixed_input_size": True, "interpolation": "bicubic", "crop_pct": 1.0, "classifier": "head", **H_OPTIMUS}
    return {"architecture": architecture, "num_classes": 0, "pretrained_cfg": known, **changes}


def test_weights_on_the_hub_come_by_timms_loader_with_their_own_normalisation_and_size(hub, network):
    name, args, model, _ = network
    hub("group/encoder", config_of(name), model.state_dict())
    # the config's img_size is the weights' own
    given = {key: value for key, value in args.items() if key != "img_size"}
    on_hub = {"weights": "hf-hub:group/encoder", "model_args": given, "mean": None, "std": None}
    encoder = load_encoder(spec(name, "", **on_hub))
    assert encoder.input_size == 56
    assert (encoder.mean, encoder.std) == (tuple(H_OPTIMUS["mean"]), tuple(H_OPTIMUS["std"]))
    x = patches(2, 56)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(x), model(normalised(x, **H_OPTIMUS)), rtol=1e-4, atol=1e-4)
    assert timm_networks.absent(f"timm/{name}", "hf-hub:group/encoder") == ""
    assert timm_networks.absent(f"timm/{name}", "hf-hub:group/other") == "https://huggingface.co/group/other"


def test_what_is_on_the_hub_has_to_fit(hub, network):
    name, args, model, _ = network
    state = model.state_dict()
    hub("group/encoder", config_of(name), state)
    own = {"weights": "hf-hub:group/encoder", "model_args": args, "mean": None, "std": None}
    with pytest.raises(SlidecafError, match=r"does not fit .* as it is built .*model_args the arguments"):
        load_encoder(spec(name, "", **own) | {"model_args": {**args, "reg_tokens": 2}})
    with pytest.raises(SlidecafError, match=rf"of the architecture {name}, and model says resnet18; write timm/{name}"):
        load_encoder(spec("resnet18", "", **own))
    hub("group/less", config_of(name), {key: value for key, value in state.items() if key != "norm.weight"})
    with pytest.raises(SlidecafError, match=r"does not fit .*norm\.weight"):
        load_encoder(spec(name, "", **own) | {"weights": "hf-hub:group/less"})
    hub("group/bad", config_of(name), {**state, "norm.weight": state["norm.weight"] * torch.nan})
    with pytest.raises(SlidecafError, match=r"holds NaN or infinite values in norm\.weight"):
        load_encoder(spec(name, "", **own) | {"weights": "hf-hub:group/bad"})
    hub("owkin/phikon", {"architectures": ["ViTModel"], "model_type": "vit"}, {})
    with pytest.raises(SlidecafError, match=r"not published for timm: its config\.json names no architecture"):
        load_encoder(spec(name, "", **own) | {"weights": "hf-hub:owkin/phikon"})


def test_weights_that_cannot_be_had_are_an_error_that_says_what_to_do(hub):
    todo = r"could not be had.*set HF_TOKEN.*hf auth login.*write its path, with model_args, mean and std"
    with pytest.raises(SlidecafError, match=rf"weights: hf-hub:MahmoodLab/UNI2-h {todo}"):
        load_encoder(spec("vit_giant_patch14_224", "", weights="hf-hub:MahmoodLab/UNI2-h", model_args=UNI2))
    with pytest.raises(SlidecafError, match=rf"weights: lvd142m {todo}"):
        load_encoder(spec("vit_small_patch14_dinov2", "", weights="lvd142m"))
    tagged = timm_networks.absent("timm/vit_small_patch14_dinov2", "lvd142m")
    assert tagged == "https://huggingface.co/timm/vit_small_patch14_dinov2.lvd142m"


def test_weights_that_timm_knows_by_a_tag_lose_their_classifier(hub):
    model = timm.create_model("resnet18").eval()
    hub("timm/resnet18.a1_in1k", {}, model.state_dict())
    encoder = load_encoder(spec("resnet18", "", weights="a1_in1k", layer="pooled", mean=None, std=None))
    assert encoder.input_size == 224
    assert not any(name.startswith("fc") for name in encoder._tensors)
    x = patches(1, 224)
    model.reset_classifier(0)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(x), model(normalised(x, **IMAGENET)), rtol=1e-4, atol=1e-4)


def test_timm_is_imported_by_jobs_that_use_it_alone():
    code = "import sys, slidecaf.features.networks.encoder, slidecaf.study.config, slidecaf.check.probe as p; "
    code += "print(sorted({'timm', 'huggingface_hub'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
