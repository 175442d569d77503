//! HTTP/1.1 as far as a lying registry needs it.

use std::{fmt::Write as _, io};

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use super::{
    Asked,
    answer::{Answer, Body},
};

/// The longest body of a request that is read: token servers get forms.
const MAX_BODY: usize = 64 * 1024;

/// Answers one client until it leaves.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(&Asked) -> Answer,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await? {
        let is_head = asked.method == "HEAD";
        let answer = answer(&asked);
        // After a lie nobody knows where the next answer begins.
        let is_last = answer.says("content-length") || matches!(answer.body, Body::Headers);
        send(&mut stream, answer, is_head).await?;
        if is_last {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked { method, path, headers, body: String::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length.min(MAX_BODY)];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(asked))
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), answer: Answer, is_head: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Planned\r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let is_chunked = matches!(answer.body, Body::Made(_)) && !answer.says("content-length");
    match &answer.body {
        Body::Whole(bytes) if !answer.says("content-length") => {
            let _ = write!(head, "content-length: {}\r\n", bytes.len());
        }
        Body::Made(_) if is_chunked => head.push_str("transfer-encoding: chunked\r\n"),
        _ => {}
    }
    stream.write_all(head.as_bytes()).await?;
    if matches!(answer.body, Body::Headers) {
        for number in 0_u64.. {
            stream.write_all(format!("x-{number}: {}\r\n", "v".repeat(1_000)).as_bytes()).await?;
        }
    }
    stream.write_all(b"\r\n").await?;
    if !is_head {
        match answer.body {
            Body::Whole(bytes) => stream.write_all(&bytes).await?,
            Body::Made(chunks) => {
                for chunk in chunks.filter(|chunk| !chunk.is_empty()) {
                    if let Some(pace) = answer.pace {
                        stream.flush().await?;
                        tokio::time::sleep(pace).await;
                    }
                    if is_chunked {
                        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                    }
                    stream.write_all(&chunk).await?;
                    if is_chunked {
                        stream.write_all(b"\r\n").await?;
                    }
                }
                if is_chunked {
                    stream.write_all(b"0\r\n\r\n").await?;
                }
            }
            Body::Headers => {}
        }
    }
    stream.flush().await
}
