"""Pool the features of a slide's patches into one vector a norm."""

from slidecaf.features.file import open_features, valid_features
from slidecaf.files.versions import origin
from slidecaf.logs import job
from slidecaf.pooling.file import write_pooled
from slidecaf.pooling.norms import Pooler, norm_name, parse_norm
from slidecaf.study.status import STATUS_OK

with job(snakemake.log[0]), open_features(snakemake.input[0]) as file:
    status = str(file["features"].attrs["status"])
    pooler = Pooler([parse_norm(norm) for norm in snakemake.params.norms], source=snakemake.input[0])
    for features in valid_features(file):
        pooler.add(features)
    vectors = pooler.result() if status == STATUS_OK else {}
    named = {norm_name(norm): vector for norm, vector in vectors.items()}
    made = origin(snakemake.params.code, file["features"].attrs["weights_sha256"])
    write_pooled(snakemake.output[0], named, patches=pooler.count, status=status, origin=made)
