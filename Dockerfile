# docker build -t multiunet . && docker run --rm -v "$PWD:/data" multiunet train image --images images --masks masks --out run
FROM python:3.11-slim
COPY . /src
RUN pip install --no-cache-dir /src && rm -rf /src
RUN useradd --create-home user
USER user
WORKDIR /data
ENTRYPOINT ["multiunet"]
CMD ["--help"]
