"""Keys, buckets, roles, the catalogue, grants, images and the stores beside them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from core.simulated.seed.bike.story import ACCOUNT, ARTIFACTS, DATA, INBOX, REGION, TAGS, Story

_SERVICES = {
    "bike-demand-sagemaker": "sagemaker.amazonaws.com",
    "bike-demand-pipeline": "codepipeline.amazonaws.com",
    "bike-demand-build": "codebuild.amazonaws.com",
    "bike-demand-deploy": "codedeploy.amazonaws.com",
    "bike-demand-glue": "glue.amazonaws.com",
    "bike-demand-states": "states.amazonaws.com",
    "bike-demand-events": "events.amazonaws.com",
    "bike-demand-firehose": "firehose.amazonaws.com",
}
_TABLES: dict[str, list[tuple[str, str]]] = {
    "bike_hourly": [
        ("ts", "timestamp"), ("hr", "int"), ("holiday", "int"), ("weekday", "int"),
        ("workingday", "int"), ("weathersit", "int"), ("temp", "double"), ("atemp", "double"),
        ("hum", "double"), ("windspeed", "double"), ("casual", "int"), ("registered", "int"),
        ("cnt", "int"),
    ],
    "rentals": [("ts", "timestamp"), ("casual", "int"), ("registered", "int"), ("cnt", "int")],
    "weather": [
        ("ts", "timestamp"), ("weathersit", "int"), ("temp", "double"), ("atemp", "double"),
        ("hum", "double"), ("windspeed", "double"),
    ],
    "calendar": [("dteday", "date"), ("holiday", "int"), ("weekday", "int"), ("workingday", "int")],
}  # fmt: skip


def plant(story: Story) -> None:
    _roles(story)
    _keys(story)
    _buckets(story)
    _catalogue(story)
    _grants(story)
    _images(story)
    _stores(story)


def _roles(story: Story) -> None:
    for name, service in _SERVICES.items():
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        story.call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    for name in ("data-scientists", "analysts"):
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        story.call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))


def _keys(story: Story) -> None:
    for name, told in (("data", "Data and artifacts of bike-demand"), ("logs", "Log groups")):
        key = story.call(
            "kms",
            "CreateKey",
            Description=told,
            Tags=[{"TagKey": each["Key"], "TagValue": each["Value"]} for each in TAGS],
        )["KeyMetadata"]
        story.keys[name] = key["Arn"]
        alias = f"alias/bike-demand-{name}"
        story.call("kms", "CreateAlias", AliasName=alias, TargetKeyId=key["KeyId"])
    story.call("kms", "EnableKeyRotation", KeyId=story.keys["data"])


def _buckets(story: Story) -> None:
    for name in (ARTIFACTS, DATA, INBOX):
        story.call(
            "s3",
            "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
        story.call("s3", "PutBucketTagging", Bucket=name, Tagging={"TagSet": TAGS})
    for name in (ARTIFACTS, DATA):  # the inbox is the one that is not encrypted with a key
        rule: dict[str, Any] = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": story.keys["data"],
            },
            "BucketKeyEnabled": True,
        }
        story.call(
            "s3",
            "PutBucketEncryption",
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": [rule]},
        )
        story.call(
            "s3",
            "PutBucketVersioning",
            Bucket=name,
            VersioningConfiguration={"Status": "Enabled"},
        )
        story.call(
            "s3",
            "PutPublicAccessBlock",
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
    for file in sorted(_examples().glob("*.csv.gz")):
        name = file.name.removesuffix(".csv.gz")
        story.put(DATA, f"raw/{name}/{file.name}", file.read_bytes())
    newest = gzip.decompress((_examples() / "weather.csv.gz").read_bytes()).decode().splitlines()
    story.put(INBOX, "weather/2012-10.csv", "\n".join([newest[0], *newest[-200:]]) + "\n")


def _examples() -> Path:
    """Where the example's data are: beside the package, or inside it once installed."""
    core = Path(__file__).resolve().parents[3]
    installed = core / "_assets"
    root = installed if installed.is_dir() else core.parent / "assets"
    return root / "examples" / "bike-demand" / "data"


def _catalogue(story: Story) -> None:
    story.call(
        "glue",
        "CreateDatabase",
        DatabaseInput={
            "Name": "bike",
            "Description": "Hourly rentals, weather and calendar",
            "LocationUri": f"s3://{DATA}/raw/",
        },
    )
    for name, columns in _TABLES.items():
        place = f"s3://{DATA}/raw/{name}/"
        story.call(
            "glue",
            "CreateTable",
            DatabaseName="bike",
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "csv", "compressionType": "gzip"},
                "StorageDescriptor": {
                    "Columns": [{"Name": each, "Type": kind} for each, kind in columns],
                    "Location": place,
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    "SerdeInfo": {
                        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde"
                    },
                },
            },
        )
    story.call(
        "glue",
        "CreateCrawler",
        Name="bike-raw",
        Role=story.role("bike-demand-glue"),
        DatabaseName="bike",
        Description="Tables of what arrives in raw/",
        Targets={"S3Targets": [{"Path": f"s3://{DATA}/raw/"}]},
        Schedule="cron(0 3 * * ? *)",
    )
    script = "import sys\nfrom awsglue.utils import getResolvedOptions\n"
    place = story.put(ARTIFACTS, "glue/complete_hours.py", script)
    story.call(
        "glue",
        "CreateJob",
        Name="complete-hours",
        Description="Rows for the hours that nobody recorded",
        Role=story.role("bike-demand-glue"),
        Command={"Name": "glueetl", "ScriptLocation": place, "PythonVersion": "3"},
        GlueVersion="4.0",
        WorkerType="G.1X",
        NumberOfWorkers=2,
    )
    story.call("glue", "StartJobRun", JobName="complete-hours")


def _grants(story: Story) -> None:
    story.call(
        "lakeformation",
        "RegisterResource",
        ResourceArn=f"arn:aws:s3:::{DATA}",
        RoleArn=story.role("bike-demand-glue"),
    )
    _grant(story, "data-scientists", {"Database": {"Name": "bike"}}, ["DESCRIBE"])
    for table in ("bike_hourly", "weather"):
        resource = {"Table": {"DatabaseName": "bike", "Name": table}}
        _grant(story, "data-scientists", resource, ["SELECT", "DESCRIBE"])
    resource = {"Table": {"DatabaseName": "bike", "Name": "rentals"}}
    _grant(story, "analysts", resource, ["SELECT"])


def _grant(story: Story, role: str, resource: dict[str, Any], rights: list[str]) -> None:
    story.call(
        "lakeformation",
        "GrantPermissions",
        Principal={"DataLakePrincipalIdentifier": story.role(role)},
        Resource=resource,
        Permissions=rights,
    )


def _images(story: Story) -> None:
    story.call(
        "ecr",
        "CreateRepository",
        repositoryName="bike-demand",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": story.keys["data"]},
        tags=TAGS,
    )
    for number, tag in enumerate(("1.2.0", "1.3.0", "1.4.0")):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": 7_023 + number,
                "digest": f"sha256:{number:064x}",
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "size": 214_300_000 + 1_000 * number,
                    "digest": f"sha256:{number + 16:064x}",
                }
            ],
        }
        story.call(
            "ecr",
            "PutImage",
            repositoryName="bike-demand",
            imageManifest=json.dumps(manifest),
            imageTag=tag,
        )
    story.call("ecr", "StartImageScan", repositoryName="bike-demand", imageId={"imageTag": "1.4.0"})


def _stores(story: Story) -> None:
    story.call(
        "firehose",
        "CreateDeliveryStream",
        DeliveryStreamName="bike-rentals",
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": story.role("bike-demand-firehose"),
            "BucketARN": f"arn:aws:s3:::{DATA}",
            "Prefix": "raw/rentals/",
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        },
    )
    story.call(
        "redshift",
        "CreateCluster",
        ClusterIdentifier="bike-warehouse",
        NodeType="ra3.large",
        MasterUsername="warehouse",
        MasterUserPassword="Simulated1",
        ClusterType="single-node",
        DBName="bike",
        Encrypted=True,
        KmsKeyId=story.keys["data"],
    )
    subnets = story.call("ec2", "DescribeSubnets")["Subnets"]
    story.call(
        "fsx",
        "CreateFileSystem",
        FileSystemType="LUSTRE",
        StorageCapacity=1200,
        SubnetIds=[subnets[0]["SubnetId"]],
        LustreConfiguration={"DeploymentType": "SCRATCH_2"},
        Tags=TAGS,
    )
    story.call(
        "opensearch",
        "CreateDomain",
        DomainName="bike-logs",
        EngineVersion="OpenSearch_2.11",
        EncryptionAtRestOptions={"Enabled": True, "KmsKeyId": story.keys["logs"]},
    )
