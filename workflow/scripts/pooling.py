"""Pool the features of a slide's patches into one vector a norm."""

from slidecaf import store
from slidecaf.logs import job
from slidecaf.pooling import Pooler, norm_name, parse_norm
from slidecaf.versions import origin

with job(snakemake.log[0]), store.open_features(snakemake.input[0]) as file:
    status = str(file["features"].attrs["status"])
    pooler = Pooler([parse_norm(norm) for norm in snakemake.params.norms], source=snakemake.input[0])
    for features in store.valid_features(file):
        pooler.add(features)
    vectors = pooler.result() if status == store.STATUS_OK else {}
    named = {norm_name(norm): vector for norm, vector in vectors.items()}
    made = origin(snakemake.params.code, file["features"].attrs["weights_sha256"])
    store.write_pooled(snakemake.output[0], named, patches=pooler.count, status=status, origin=made)
