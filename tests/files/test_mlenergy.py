"""ML.ENERGY result tables as points; made-up values in the true shape."""

from pathlib import Path

import pytest

from tokenergy.errors import FindingsError
from tokenergy.files.mlenergy import read_mlenergy

HEADER = (
    "task,model_id,gpu_model,num_gpus,tensor_parallel,expert_parallel,data_parallel,"
    "weight_precision,max_num_seqs,avg_batch_size,avg_output_len,avg_power_watts,"
    "output_throughput_tokens_per_sec,median_itl_ms,energy_per_token_joules"
)


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_row_is_a_point(tmp_path: Path) -> None:
    """800 W of two GPUs over 1,600 tokens/s is .5 J a token."""
    row = "gpqa,m/x,H100,2,2,1,1,bfloat16,16,15.5,4000,800,1600,9.7,0.5"
    (point,) = read_mlenergy(table(tmp_path, row)).points
    assert (point.model, point.accelerator, point.gpus_count) == ("m/x", "H100", 2)
    assert (point.batch_count, point.j_per_token) == (15.5, 0.5)
    assert (point.avg_power_w_per_gpu, point.bytes_per_weight) == (400.0, 2.0)
    assert (point.input_tokens, point.output_tokens) == (300.0, 4000.0)
    assert (point.stack, point.boundary) == ("vllm 0.11.1", "gpu")
    assert point.source == "table.csv:2 gpqa"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("gpqa,m/x,H100,2,2,1,1,fp8,16,15.5,4000,900,1600,9.7,0.5", "POWER_INCONSISTENT"),
        ("gpqa,m/x,H100,2,2,1,1,fp8,16,15.5,4000,800,1600,9.7,", "POINT_INCOMPLETE"),
        ("gpqa,m/x,H100,2,2,1,1,fp8,16,,4000,800,1600,9.7,0.5", "POINT_INCOMPLETE"),
        ("gpqa,m/x,H100,2,2,1,1,fp8,16,-3,4000,800,1600,9.7,0.5", "POWER_INCONSISTENT"),
        ("gpqa,,H100,2,2,1,1,fp8,16,15.5,4000,800,1600,9.7,0.5", "POINT_INCOMPLETE"),
        ("gpqa,m/x,H100,0,2,1,1,fp8,16,15.5,4000,800,1600,9.7,0.5", "POINT_INCOMPLETE"),
    ],
)
def test_a_row_that_is_no_point_is_left_out_and_said(tmp_path: Path, row: str, code: str) -> None:
    good = "gpqa,m/x,H100,2,2,1,1,bfloat16,16,15.5,4000,800,1600,9.7,0.5"
    read = read_mlenergy(table(tmp_path, good, row))
    assert len(read.points) == 1
    assert read.refused_counts == {code: 1}


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "diffusion.csv"
    path.write_text("model_id,gpu_model,num_gpus,batch_size\nx,H100,1,1\n", encoding="utf-8")
    with pytest.raises(FindingsError, match="avg_batch_size"):
        read_mlenergy(path)


def test_the_published_table_is_taken_whole(shared_data: Path) -> None:
    read = read_mlenergy(shared_data / "energy" / "mlenergy_v3_llm.csv")
    assert (len(read.points), read.refused_counts) == (838, {})


def test_images_and_videos_are_as_long_as_the_fit_made_them(tmp_path: Path) -> None:
    """1,500 x 1.053 and 6,000 x .259 tokens: with 6,000 a video answers to no like request."""
    rows = [
        f"{task},m/x,H100,2,2,1,1,bfloat16,16,15.5,400,800,1600,9.7,0.5"
        for task in ("image-chat", "video-chat")
    ]
    image, video = read_mlenergy(table(tmp_path, *rows)).points
    assert (image.input_tokens, video.input_tokens) == (1580.0, 1550.0)
