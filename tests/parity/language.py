"""Fixtures of `crates/model/tests/language`: small language models as Hugging Face saves them, with their outputs.

`tests/parity/make --language` runs this; transformers, sentencepiece and gguf come from PyPI. Each fixture is a folder with the
files that a user would bring (made-up weights by the rule of `fill.py`) and `expected.safetensors`.
"""
import json, os, shutil
import numpy as np, torch, transformers as tf
from safetensors.numpy import save_file
import fill as f

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../crates/model/tests/language")
SENTENCES = [
    "No pleural effusion or pneumothorax.",
    "There is a 12 mm nodule in the right upper lobe, unchanged.",
    "Contrast-enhanced CT shows no lymphadenopathy; the heart isn't enlarged.",
    "The left kidney is normal in size (10.5 cm).",
]


def folder(name):
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def keep(path, **arrays):
    save_file({k: np.ascontiguousarray(v.detach().numpy() if torch.is_tensor(v) else v) for k, v in arrays.items()},
              os.path.join(path, "expected.safetensors"))
    print(os.path.basename(path), sum(os.path.getsize(os.path.join(path, n)) for n in os.listdir(path)), "bytes")


def save(net, path, binary=False):
    """As save_pretrained does; `binary` as it did before safetensors."""
    net.config.save_pretrained(path)
    if binary:
        torch.save(net.state_dict(), os.path.join(path, "pytorch_model.bin"))
    else:
        net.save_pretrained(path)
        for extra in ("generation_config.json",):
            extra = os.path.join(path, extra)
            if os.path.exists(extra):
                os.remove(extra)


def ids(name, *shape, low=0, high=48):
    n = int(np.prod(shape))
    return torch.from_numpy((low + np.floor(f.uniform(f"ids of {name}", n) * (high - low))).astype(np.int64).reshape(shape))


BERT = dict(vocab_size=48, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
            max_position_embeddings=20)


@torch.no_grad()
def bert():
    path = folder("bert")
    net = f.load(tf.BertModel(tf.BertConfig(**BERT)))
    save(net, path)
    x = ids("bert", 2, 9)
    mask = torch.ones_like(x); mask[1, 6:] = 0
    kinds = torch.zeros_like(x); kinds[:, 4:] = 1
    y = net(input_ids=x, attention_mask=mask, token_type_ids=kinds)
    keep(path, ids=x, mask=mask, kinds=kinds, hidden=y.last_hidden_state, pooled=y.pooler_output)

    path = folder("bert_masked")
    net = f.load(tf.BertForMaskedLM(tf.BertConfig(**BERT)))
    net.tie_weights()
    save(net, path, binary=True)
    x = ids("bert_masked", 1, 11)
    keep(path, ids=x, logits=net(input_ids=x).logits)

    path = folder("bert_classes")
    net = f.load(tf.BertForSequenceClassification(tf.BertConfig(**BERT, num_labels=3)))
    save(net, path)
    x = ids("bert_classes", 2, 7)
    keep(path, ids=x, classes=net(input_ids=x).logits)

    path = folder("roberta")
    net = f.load(tf.RobertaModel(tf.RobertaConfig(**{**BERT, "max_position_embeddings": 22}, type_vocab_size=1, pad_token_id=1)))
    save(net, path)
    x = ids("roberta", 2, 8, low=3)
    keep(path, ids=x, hidden=net(input_ids=x).last_hidden_state)


@torch.no_grad()
def gpt2():
    path = folder("gpt2")
    net = f.load(tf.GPT2LMHeadModel(tf.GPT2Config(vocab_size=48, n_positions=32, n_embd=16, n_layer=2, n_head=4)))
    net.tie_weights()
    save(net, path, binary=True)
    x = ids("gpt2", 2, 9)
    y = net(input_ids=x, output_hidden_states=True)
    written = net.generate(x[:1], max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=None)
    keep(path, ids=x, hidden=y.hidden_states[-1], logits=y.logits, written=written[0])


@torch.no_grad()
def t5():
    sizes = dict(vocab_size=48, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_heads=3, relative_attention_num_buckets=8,
                 relative_attention_max_distance=12, decoder_start_token_id=0)
    for name, more in [("t5", {}), ("flan_t5", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 3})]:
        path = folder(name)
        net = f.load(tf.T5ForConditionalGeneration(tf.T5Config(**sizes, **more)))
        if more:
            # flan-T5's files hold a head of their own.
            net.lm_head.weight = torch.nn.Parameter(torch.from_numpy(f.fill("lm_head.weight", (48, 16))))
        else:
            net.tie_weights()
        save(net, path, binary=bool(more))
        if more:
            # transformers 5 writes the tie as true whatever it was; the published files say false.
            at = os.path.join(path, "config.json")
            config = json.load(open(at)); config["tie_word_embeddings"] = False
            json.dump(config, open(at, "w"), indent=1)
        x, y = ids(name, 2, 17), ids(f"{name} out", 2, 7)
        mask = torch.ones_like(x); mask[0, 13:] = 0
        read = net.encoder(input_ids=x, attention_mask=mask).last_hidden_state
        logits = net(input_ids=x, attention_mask=mask, decoder_input_ids=y).logits
        written = net.generate(x[1:], max_new_tokens=10, do_sample=False, eos_token_id=None, use_cache=False)
        keep(path, ids=x, mask=mask, decoder_ids=y, hidden=read, logits=logits, written=written[0])


@torch.no_grad()
def recurrent():
    for name, cell, size in [
        ("lstm_both_ways", torch.nn.LSTM, dict(num_layers=2, bidirectional=True)),
        ("lstm_plain", torch.nn.LSTM, dict(num_layers=1, bias=False)),
        ("gru_both_ways", torch.nn.GRU, dict(num_layers=2, bidirectional=True)),
        ("gru_deep", torch.nn.GRU, dict(num_layers=3)),
    ]:
        path = folder(name)
        net = f.load(cell(5, 6, batch_first=True, **size))
        torch.save(net.state_dict(), os.path.join(path, "weights.pt"))
        lines = [f'cell = "{"lstm" if cell is torch.nn.LSTM else "gru"}"', "input_size = 5", "hidden_size = 6"]
        lines += [f"{k} = {str(v).lower()}" for k, v in size.items()]
        open(os.path.join(path, "architecture.toml"), "w").write("\n".join(lines) + "\n")
        x = torch.from_numpy(f.uniform(f"input of {name}", 2 * 7 * 5).reshape(2, 7, 5) * 4 - 2)
        y, state = net(x)
        h, c = state if cell is torch.nn.LSTM else (state, None)
        keep(path, input=x, output=y, hidden=h, **({"cell": c} if c is not None else {}))


@torch.no_grad()
def gguf():
    import gguf
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    sizes = dict(vocab_size=260, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                 max_position_embeddings=64, tie_word_embeddings=False)
    for family, kind, config, more in [
        ("llama", tf.LlamaForCausalLM, tf.LlamaConfig, {"rope_parameters": {"rope_theta": 10000.0, **rope}}),
        ("qwen2", tf.Qwen2ForCausalLM, tf.Qwen2Config, {"tie_word_embeddings": True, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}),
        ("qwen3", tf.Qwen3ForCausalLM, tf.Qwen3Config, {"head_dim": 12, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}),
    ]:
        path = folder(f"gguf_{family}")
        c = config(**{**sizes, **more})
        net = f.load(kind(c))
        if c.tie_word_embeddings:
            net.tie_weights()
        w = gguf.GGUFWriter(os.path.join(path, "model.gguf"), family)
        head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
        w.add_context_length(64); w.add_embedding_length(c.hidden_size); w.add_block_count(c.num_hidden_layers)
        w.add_feed_forward_length(c.intermediate_size); w.add_head_count(c.num_attention_heads)
        w.add_head_count_kv(c.num_key_value_heads); w.add_layer_norm_rms_eps(c.rms_norm_eps); w.add_rope_freq_base(10000.0)
        w.add_key_length(head); w.add_rope_dimension_count(head)
        alphabet = sorted(gguf_alphabet())
        w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre(family if family != "llama" else "llama-bpe")
        w.add_token_list(alphabet + ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "\u0120a"])
        w.add_token_types([1] * 256 + [3, 3, 3, 1]); w.add_token_merges(["\u0120 a"]); w.add_eos_token_id(257)
        w.add_chat_template("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}")
        names = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
                 "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
                 "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
        for name, t in net.state_dict().items():
            a = t.numpy()
            if name == "lm_head.weight":
                if not c.tie_word_embeddings:
                    w.add_tensor("output.weight", a)
                continue
            if name == "model.embed_tokens.weight":
                w.add_tensor("token_embd.weight", a); continue
            if name == "model.norm.weight":
                w.add_tensor("output_norm.weight", a); continue
            _, _, block, rest = name.split(".", 3)
            part, end = rest.rsplit(".", 1)
            if family == "llama" and names[part] in ("attn_q", "attn_k"):
                # The turned pairs lie side by side in this format.
                n = c.num_attention_heads if names[part] == "attn_q" else c.num_key_value_heads
                a = a.reshape(n, 2, a.shape[0] // n // 2, *a.shape[1:]).swapaxes(1, 2).reshape(a.shape)
            w.add_tensor(f"blk.{block}.{names[part]}.{end}", np.ascontiguousarray(a))
        if family == "llama":
            plain = 10000.0 ** -(np.arange(0, head, 2) / head)
            w.add_tensor("rope_freqs.weight", (plain / net.model.rotary_emb.inv_freq.numpy()).astype(np.float32))
        w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
        x = ids(f"gguf {family}", 1, 21, high=256)
        written = net.generate(x, max_new_tokens=8, do_sample=False, pad_token_id=0, eos_token_id=None)
        keep(path, ids=x, logits=net(input_ids=x).logits, written=written[0])


def gguf_alphabet():
    """The 256 letters that byte-level BPE writes bytes as."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters = {b: chr(b) for b in plain}
    n = 0
    for b in range(256):
        if b not in letters:
            letters[b] = chr(256 + n); n += 1
    return letters.values()


def tokenizers():
    from tokenizers import ByteLevelBPETokenizer, BertWordPieceTokenizer
    import sentencepiece
    path = folder("tokenizer_wordpiece")
    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(SENTENCES * 3, vocab_size=160, min_frequency=1, show_progress=False)
    made.save_model(path)
    made = BertWordPieceTokenizer(os.path.join(path, "vocab.txt"), lowercase=True)
    expect(path, lambda text: made.encode(text).ids)

    path = folder("tokenizer_bpe")
    made = ByteLevelBPETokenizer()
    made.train_from_iterator(SENTENCES * 3, vocab_size=340, min_frequency=1, show_progress=False, special_tokens=["<|endoftext|>"])
    made.save_model(path)
    made = ByteLevelBPETokenizer(os.path.join(path, "vocab.json"), os.path.join(path, "merges.txt"))
    expect(path, lambda text: made.encode(text).ids)

    path = folder("tokenizer_unigram")
    text = os.path.join(path, "text"); open(text, "w").write("\n".join(SENTENCES * 3))
    sentencepiece.SentencePieceTrainer.train(input=text, model_prefix=os.path.join(path, "spiece"), vocab_size=130, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity", hard_vocab_limit=False, minloglevel=2)
    os.remove(text); os.remove(os.path.join(path, "spiece.vocab"))
    sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(path, "spiece.model"))
    expect(path, lambda text: sp.encode(text) + [1])


def expect(path, encode):
    texts = SENTENCES + ["A mass, 3 x 4 cm?", "Tumour\u2019s na\u00efve 5%"]
    json.dump([{"text": t, "ids": encode(t)} for t in texts], open(os.path.join(path, "expected.json"), "w"))
    print(os.path.basename(path), sum(os.path.getsize(os.path.join(path, n)) for n in os.listdir(path)), "bytes")


if __name__ == "__main__":
    import sys
    makers = [bert, gpt2, t5, recurrent, gguf, tokenizers]
    for maker in makers:
        if len(sys.argv) < 2 or maker.__name__ in sys.argv[1:]:
            maker()
